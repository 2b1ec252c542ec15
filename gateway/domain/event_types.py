"""The types of events, each with what it tells: what a listener can wait for, and what the documentation lists.

Counterpart: whoever makes an `Event` or a `Deed`; a test holds this list and the code together.
"""

from collections.abc import Mapping

_KEPT: Mapping[str, str] = {
    "operator": "an operator",
    "queue": "a queue",
    "trunk": "a carrier's trunk",
    "shift": "a shift",
    "assignment": "an assignment",
    "absence": "an absence",
    "swap": "a swap",
    "on_call": "a place on the on-call list",
    "agency": "an agency",
    "advice_rule": "a rule of the advice",
    "block": "a block of a number",
    "pause_reason": "a pause reason",
    "retention_rule": "a rule of how long recordings are kept",
    "legal_hold": "a legal hold on a call's recordings",
    "rules": "the centre's rules",
    "token": "a token",
}

EVENT_TYPES: Mapping[str, str] = {
    "call.arrived": "a carrier's call came in",
    "call.described": "what the carrier said of it: numbers, name, headers, location",
    "call.recording_started": "its sound is being recorded",
    "call.greeted": "112 answered the trunk",
    "call.advised": "rules of the advice match it: their names, what comes of them",
    "call.noticed": "the caller heard a notice before the queue, and pressed a key or none",
    "call.queued": "the caller waits in a queue, for the first time or again",
    "call.operator_rung": "a phone is rung for it",
    "call.operator_missed": "the phone did not answer, with the reason",
    "call.answered": "caller and phone hear each other",
    "call.operator_left": "a phone that had answered is off the line",
    "call.queue_left": "the caller left the queue without an operator",
    "call.fell_back": "the fallback took over",
    "call.last_resort_left": "the last-resort numbers rang, and nobody of them is on the line any more",
    "call.agency_left": "a duty phone of an agency was rung, and is not on the line any more",
    "call.message_left": "the caller leaves a message",
    "call.spoke": "the caller was heard to speak, for the first time",
    "call.silent": "the caller has said nothing for 10 s since a person answered",
    "call.asked_for_key": "the caller was asked to press any key if he cannot speak",
    "call.key_pressed": "the caller pressed a key; of each call the first 50 are told",
    "call.ended": "it is over, with its outcome",
    "call.disposed": "a person said what it was, or corrected that",
    "operator.logged_in": "an operator says to be there",
    "operator.logged_out": "an operator says to be away",
    "operator.paused": "an operator is not rung any more, with the reason",
    "operator.resumed": "an operator is rung again",
    "queue.member_put": "a phone was given a place in a queue at any hour",
    "queue.member_removed": "that place was taken away",
    "roster.imported": "a roster was imported",
    "on_call.rung": "somebody of the on-call list is rung, because a queue is short",
    "on_call.accepted": "that person comes",
    "on_call.declined": "that person does not come",
    "on_call.not_reached": "that person did not answer",
    "callback.opened": "nobody heard a caller: his number is to be called back",
    "callback.tried_again": "he called once more, and nobody heard him",
    "callback.got_through": "he called once more, and a person spoke with him: nobody needs to call",
    "callback.impossible": "nobody heard a caller, and he has no number that could be called",
    "callback.claimed": "an operator will call him",
    "callback.released": "that operator will not",
    "callback.dialled": "the operator's phone rings, to call him",
    "callback.rung": "the operator is on the line, and his number is called",
    "callback.answered": "he, or whoever has his phone, is on the line",
    "callback.dial_ended": "that call is over, with its result",
    "callback.reached": "somebody spoke with him",
    "callback.given_up": "he is not called any more, with the reason",
    "alarm.raised": "something needs somebody",
    "alarm.cleared": "that is over",
    "webhook.created": "a receiver of events was added",
    "webhook.removed": "a receiver of events was removed",
    **{
        f"{kind}.{verb}": f"{words} was {verb}"
        for kind, words in _KEPT.items()
        for verb in ("created", "changed", "retired")
    },
}
