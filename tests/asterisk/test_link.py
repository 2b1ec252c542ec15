"""What goes over the AMI link: each way in which plain panoramisk, or a bad day of Asterisk's, could harm an action, a
list or an event; one sentence, one test. `test_link_connection.py` is about the connection itself.

The peer is scripted (`scripted_peer`); `test_link_on_asterisk` walks the ordinary path with the real one.
"""

from __future__ import annotations

import asyncio
import logging

import pytest

from gateway.asterisk import wire
from gateway.asterisk.errors import AsteriskAway, AsteriskRefused, AsteriskSilent, LinkOverflow, UnsafeValue
from gateway.asterisk.framing import Message
from gateway.asterisk.link import AmiLink, LinkState
from tests.asterisk.linked import Ear, running
from tests.asterisk.scripted_peer import Action, ScriptedPeer, event, response, silence, until

FIRE_ENGINE = "🚒".encode()


# An action: sent once, answered once, or an error to whoever asked.


async def test_an_action_is_answered_by_the_response_with_its_id(peer: ScriptedPeer) -> None:
    peer.answers["Getvar"] = lambda action: response(action, "Success", f"Value: of {action['Variable'][0]}")
    async with running(peer) as link:
        names = [f"V{number}" for number in range(50)]
        answers = await asyncio.gather(*(link.ask("Getvar", ("Variable", name)) for name in names))

    assert [answer.get("value") for answer in answers] == [f"of {name}" for name in names]


async def test_an_old_originate_is_not_dialled_again_after_a_reconnect(peer: ScriptedPeer) -> None:
    peer.answers["Originate"] = silence
    async with running(peer) as link:
        call = asyncio.create_task(link.ask("Originate", ("Channel", "PJSIP/1001")))
        await until(lambda: peer.asked("Originate"))
        peer.hang_up()
        with pytest.raises(AsteriskAway):
            await call
        await until(lambda: link.counters.logins == 2)
        await link.ask("Ping")  # whatever the link would send of its own accord has arrived before this

    assert len(peer.asked("Originate")) == 1


async def test_an_action_while_the_link_is_down_fails_at_once_and_is_never_sent(peer: ScriptedPeer) -> None:
    link = AmiLink(host="127.0.0.1", port=peer.port, username="u", secret="s", on_event=print)

    with pytest.raises(AsteriskAway, match="not been started"):
        await link.ask("Originate")

    assert peer.actions == []


async def test_whoever_waits_learns_at_once_that_the_link_dropped(peer: ScriptedPeer) -> None:
    peer.answers["QueueAdd"] = silence
    async with running(peer, action_timeout_s=1000) as link:
        waiting = [asyncio.create_task(link.ask("QueueAdd", ("Queue", "emergency"))) for _ in range(3)]
        await until(lambda: len(peer.asked("QueueAdd")) == 3)
        peer.hang_up()
        outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10)

    assert [type(outcome) for outcome in outcomes] == [AsteriskAway] * 3


async def test_whoever_waits_learns_that_the_link_was_stopped(peer: ScriptedPeer) -> None:
    peer.answers["QueueAdd"] = silence
    async with running(peer, action_timeout_s=1000) as link:
        waiting = asyncio.create_task(link.ask("QueueAdd"))
        await until(lambda: peer.asked("QueueAdd"))

    with pytest.raises(AsteriskAway):
        await asyncio.wait_for(waiting, 10)
    assert (link.state, link.reason) == (LinkState.DOWN, "The link was stopped.")


@pytest.mark.parametrize(
    ("action", "words"),
    [("QueueAdd", "Added interface to queue"), ("Originate", "Originate successfully queued")],
)
async def test_queue_add_and_originate_are_done_when_asterisk_says_so(
    peer: ScriptedPeer, action: str, words: str
) -> None:
    peer.answers[action] = lambda asked: response(asked, "Success", f"Message: {words}")
    async with running(peer) as link:
        assert (await link.ask(action)).get("Message") == words


async def test_an_answer_that_does_not_come_fails_in_time_and_the_link_stays(peer: ScriptedPeer) -> None:
    peer.answers["Reload"] = silence
    async with running(peer) as link:
        with pytest.raises(AsteriskSilent, match=r"Reload had 0\.02 s") as silent:
            await link.ask("Reload", timeout_s=0.02)
        assert [silent.value.action_id] == peer.asked("Reload")[0]["ActionID"]
        peer.say(response(peer.asked("Reload")[0], "Success") * 2)
        await link.ask("Ping")

        assert link.state is LinkState.UP
        assert (link.counters.late_answers, link.counters.strays) == (1, 1)  # known once, and then forgotten


async def test_a_refusal_is_an_error_in_asterisks_own_words(peer: ScriptedPeer) -> None:
    peer.answers["QueueAdd"] = lambda action: response(action, "Error", "Message: Unable to add: No such queue")
    peer.answers["Command"] = lambda action: response(
        action, "Error", "Message: Command output follows", "Output: No such command", "Output: 'nix'"
    )
    async with running(peer) as link:
        with pytest.raises(AsteriskRefused) as refusal:
            await link.ask("QueueAdd")
        with pytest.raises(AsteriskRefused, match="No such command / 'nix'"):
            await link.ask("Command", ("Command", "nix"))

    assert (refusal.value.action, refusal.value.message) == ("QueueAdd", "Unable to add: No such queue")


async def test_a_line_end_in_a_value_is_refused_and_nothing_is_sent(peer: ScriptedPeer) -> None:
    async with running(peer) as link:
        with pytest.raises(UnsafeValue):
            await link.ask("Setvar", ("Value", "x\r\n\r\nAction: Originate\r\nChannel: PJSIP/premium"))
        with pytest.raises(UnsafeValue):
            await link.ask("Ping\r\nAction: Originate")
        await link.ask("Ping")

    assert not peer.asked("Setvar")
    assert not peer.asked("Originate")


async def test_a_header_may_be_sent_several_times_in_its_order(peer: ScriptedPeer) -> None:
    async with running(peer) as link:
        await link.ask("Originate", ("Variable", "b=1"), ("Variable", "a=2"))

    assert peer.asked("Originate")[0]["Variable"] == ["b=1", "a=2"]


async def test_an_event_with_an_actions_id_is_an_event_and_not_its_answer(peer: ScriptedPeer, ear: Ear) -> None:
    peer.answers["Originate"] = lambda action: (
        event("OriginateResponse", f"ActionID: {action['ActionID'][0]}", "Response: Failure")
        + response(action, "Success", "Message: Originate successfully queued")
    )
    async with running(peer, ear) as link:
        answer = await link.ask("Originate")

    assert answer.get("Message") == "Originate successfully queued"
    assert ear.names() == ["OriginateResponse"]


async def test_too_many_open_actions_refuse_the_newest(peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "OPEN_QUESTIONS_LIMIT", 2)
    peer.answers["Reload"] = silence
    async with running(peer) as link:
        waiting = [asyncio.create_task(link.ask("Reload")) for _ in range(2)]
        await until(lambda: len(peer.asked("Reload")) == 2)
        with pytest.raises(LinkOverflow):
            await link.ask("Ping")
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
        await link.ask("Ping")  # who gave up makes room

        assert link.counters.overflows == 1
    with pytest.raises(AsteriskAway):
        await waiting[1]


async def test_too_many_unsent_bytes_refuse_the_newest(peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(peer) as link:
        monkeypatch.setattr(wire, "UNSENT_LIMIT_BYTES", 10)
        with pytest.raises(LinkOverflow, match="10 bytes wait to be sent"):
            await link.ask("Ping")


# A list: everything up to its end, and nothing else.


def queue_status(action: Action) -> bytes:
    of_the_list = f"ActionID: {action['ActionID'][0]}"
    return (
        response(action, "Success", "EventList: start", "Message: Queue status will follow")
        + event("QueueParams", "Queue: emergency", of_the_list)
        + event("QueueMember", "Name: Siti", of_the_list)
        + event("Newchannel", "Channel: PJSIP/telkomsel-1")
        + event("QueueMember", "Name: Budi", of_the_list)
        + event("QueueStatusComplete", of_the_list, "EventList: Complete", "ListItems: 3")
    )


async def test_a_list_is_its_response_and_its_events_and_live_events_pass_it_by(peer: ScriptedPeer, ear: Ear) -> None:
    peer.answers["QueueStatus"] = queue_status
    async with running(peer, ear) as link:
        answer = await link.ask_list("QueueStatus")

    assert [message.name for message in answer] == [
        "Success",
        "QueueParams",
        "QueueMember",
        "QueueMember",
        "QueueStatusComplete",
    ]
    assert ear.names() == ["Newchannel"]


async def test_a_number_with_lines_of_its_own_ends_no_list(peer: ScriptedPeer) -> None:
    """Else whoever calls meanwhile would hide the calls that are told after his: they would be taken for dead."""

    def channels(action: Action) -> bytes:
        own = f"ActionID: {action['ActionID'][0]}"
        return (
            response(action, "Success", "EventList: start")
            + "".join(
                f"Event: {line}\r\n\r\n"
                for line in (
                    f"CoreShowChannel\r\n{own}\r\nCallerIDNum: 0811\r\nEventList: Complete\r\nLinkedid: 112-1.0",
                    f"CoreShowChannel\r\n{own}\r\nCallerIDNum: 0812\r\nLinkedid: 112-2.0",
                    f"CoreShowChannelsComplete\r\n{own}\r\nEventList: Complete\r\nListItems: 2",
                )
            ).encode()
        )

    peer.answers["CoreShowChannels"] = channels
    async with running(peer) as link:
        answer = await link.ask_list("CoreShowChannels")
        assert link.counters.strays == 0
    assert [message.get("Linkedid") for message in answer[1:-1]] == ["112-1.0", "112-2.0"]


async def test_a_list_that_was_given_up_is_not_taken_for_live_events(peer: ScriptedPeer, ear: Ear) -> None:
    peer.answers["QueueStatus"] = silence
    async with running(peer, ear) as link:
        with pytest.raises(AsteriskSilent):
            await link.ask_list("QueueStatus", timeout_s=0.02)
        peer.say(queue_status(peer.asked("QueueStatus")[0]))
        await link.ask("Ping")

        assert link.counters.late_answers == 5
    assert ear.names() == ["Newchannel"]


async def test_an_empty_list_that_asterisk_calls_an_error_is_refused_at_once(peer: ScriptedPeer) -> None:
    peer.answers["PJSIPShowEndpoints"] = lambda action: response(action, "Error", "Message: No endpoints found")
    async with running(peer) as link:
        with pytest.raises(AsteriskRefused, match="No endpoints found"):
            await link.ask_list("PJSIPShowEndpoints")


async def test_an_action_that_has_no_list_answers_a_list_question_alone(peer: ScriptedPeer) -> None:
    async with running(peer) as link:
        (answer,) = await link.ask_list("Ping")

    assert answer.name == "Success"


async def test_a_list_without_an_end_is_cut_off(peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LIST_LIMIT_MESSAGES", 3)
    peer.answers["QueueStatus"] = queue_status
    async with running(peer) as link:
        with pytest.raises(LinkOverflow):
            await link.ask_list("QueueStatus")
        assert (await link.ask("Ping")).name == "Success"


# Events: all of them, in order, whatever the listener does.


async def test_events_come_in_order_and_none_starts_a_task(peer: ScriptedPeer) -> None:
    heard: list[int] = []
    tasks: set[int] = set()

    def listen(message: Message) -> None:
        if message.name == "Newchannel":
            heard.append(int(message.get("Number")))
            tasks.add(len(asyncio.all_tasks()))

    async with running(peer, listen):
        peer.say(*(event("Newchannel", f"Number: {number}") for number in range(5000)))
        await until(lambda: len(heard) == 5000)

    assert heard == list(range(5000))
    assert len(tasks) == 1


async def test_an_exception_in_the_callback_neither_drops_the_link_nor_costs_the_next_event(
    peer: ScriptedPeer, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def listen(message: Message) -> None:
        heard.append(message.name)
        if message.name == "Newchannel":
            raise ValueError("a listener's fault")

    async with running(peer, listen) as link:
        peer.say(event("Newchannel") * 5 + event("Hangup"))
        await until(lambda: "Hangup" in heard)

        assert (link.state, link.counters.callback_errors, peer.connections) == (LinkState.UP, 5, 1)
    logged = [vars(record) for record in caplog.records if record.levelno == logging.ERROR]
    assert [(each["message"], each["ami_event"], each["count"]) for each in logged] == [
        ("ami_callback_failed", "Newchannel", count) for count in (1, 2, 4)
    ]


async def test_a_character_that_two_reads_share_is_kept(peer: ScriptedPeer, ear: Ear) -> None:
    whole = event("Newchannel", "CallerIDName: Siti 🚒")
    middle = whole.index(FIRE_ENGINE) + 1
    async with running(peer, ear):
        await peer.say_apart(whole[:middle], whole[middle : middle + 2], whole[middle + 2 :])
        await until(ear.names)

    assert ear.events[-1].get("CallerIDName") == "Siti 🚒"


async def test_a_slow_reader_of_asterisks_state_does_not_hold_up_the_events(peer: ScriptedPeer, ear: Ear) -> None:
    async def never_ready() -> None:
        await asyncio.Event().wait()

    async with running(peer, ear, never_ready):
        peer.say(event("Hangup") * 1000)
        await until(lambda: len(ear.names()) == 1000)


async def test_a_message_that_a_caller_forged_inside_a_value_does_not_cost_the_link(
    peer: ScriptedPeer, ear: Ear
) -> None:
    async with running(peer, ear) as link:
        peer.say(event("Newchannel", "CallerIDName: x\r\n\r\nrubbish: y"), event("Hangup"))
        await until(lambda: len(ear.names()) == 2)

        assert (link.counters.strays, link.state) == (1, LinkState.UP)


async def test_an_event_that_a_caller_forged_inside_a_value_is_part_of_that_value(peer: ScriptedPeer, ear: Ear) -> None:
    forged = "x\r\n\r\nEvent: Hold\r\nPrivilege: call,all\r\n\r\nResponse: Error\r\nActionID: 1"
    async with running(peer, ear) as link:
        peer.say(event("Newchannel", f"CallerIDNum: {forged}", "Linkedid: 112-1.0"), event("Hangup"))
        await until(lambda: "Hangup" in ear.names())

        assert (link.counters.strays, link.state) == (2, LinkState.UP)
    assert [message.name for message in ear.events][-2:] == ["Newchannel", "Hangup"]
    assert ear.events[-2].get("Linkedid") == "112-1.0"


async def test_an_event_of_a_caller_alone_in_a_read_is_none(peer: ScriptedPeer, ear: Ear) -> None:
    whole = event("Newchannel", "CallerIDNum: x\r\n\r\nEvent: FailedACL", "Linkedid: 112-1.0")
    async with running(peer, ear) as link:
        middle = whole.index(b"Event: FailedACL")
        await peer.say_apart(whole[:middle], whole[middle:] + event("Hangup"))
        await until(lambda: "Hangup" in ear.names())

        assert (link.counters.strays, ear.names()) == (1, ["Newchannel", "Hangup"])
