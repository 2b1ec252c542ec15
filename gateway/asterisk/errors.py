"""What can go wrong between the gateway and Asterisk; each docstring's first line is the error's message.

Raised by `framing`, `wire` and `link`; whoever asked Asterisk for something catches them.
"""

from __future__ import annotations


class AsteriskError(Exception):
    """Something between the gateway and Asterisk failed."""

    def __init__(self, detail: str) -> None:
        sentence = (type(self).__doc__ or "").partition("\n")[0]
        super().__init__(f"{sentence} {detail}")
        self.detail = detail


class AsteriskAway(AsteriskError):
    """There is no link to Asterisk.

    Before the action was sent: nothing happened. While its answer was awaited: nobody knows whether it
    happened. In neither case is it sent again; after the reconnect, read what Asterisk holds and decide
    anew.
    """


class AsteriskSilent(AsteriskError):
    """Asterisk did not answer in time.

    The action may still be carried out; its late answer is thrown away. What Asterisk tells of it by itself bears
    `action_id`.
    """

    def __init__(self, action: str, limit_s: float, action_id: str = "") -> None:
        super().__init__(f"{action} had {limit_s:g} s.")
        self.action = action
        self.limit_s = limit_s
        self.action_id = action_id


class AsteriskRefused(AsteriskError):
    """Asterisk refused the action.

    `message` holds Asterisk's own words.
    """

    def __init__(self, action: str, message: str) -> None:
        super().__init__(f"{action}: {message}")
        self.action = action
        self.message = message


class LinkOverflow(AsteriskError):
    """The link to Asterisk is full.

    Too many actions wait for an answer, too many bytes wait to be sent, or a list has no end.
    """


class FramingError(AsteriskError):
    """What arrived is not the manager protocol.

    The stream cannot be trusted any more: close it, connect again, read everything anew.
    """


class UnsafeValue(AsteriskError, ValueError):
    """This cannot be sent to Asterisk.

    Names the field, and never quotes its value, which may be a secret.
    """

    def __init__(self, field: str, fault: str) -> None:
        super().__init__(f"{field!r} {fault}.")
        self.field = field
        self.fault = fault
