"""What Asterisk's security events tell of the SIP door."""

import pytest

from gateway.asterisk.board import Board
from gateway.asterisk.framing import Message
from gateway.asterisk.knocking import heard
from gateway.domain.knocks import Knock
from tests.asterisk.test_board import Clock


def told(
    name: str, address: str = "IPV4/UDP/203.0.113.5/5060", service: str = "PJSIP", account: str = "1001"
) -> Message:
    fields = {"Event": name, "Service": service, "AccountID": account, "RemoteAddress": address}
    return Message(tuple(fields.items()))


@pytest.mark.parametrize("name", ["InvalidPassword", "ChallengeResponseFailed", "FailedACL"])
def test_a_refused_request_is_a_knock(name: str) -> None:
    assert heard(told(name)) == Knock("203.0.113.5")


def test_whoever_is_asked_for_a_password_knocks_and_whoever_gives_it_is_welcome() -> None:
    assert heard(told("ChallengeSent")) == Knock("203.0.113.5")
    assert heard(told("SuccessfulAuth", "IPV6/TLS/2001:db8::7/5061")) == Knock("2001:db8::/64", is_welcome=True)
    assert heard(told("ChallengeSent", account="<unknown>")) == Knock("203.0.113.5")
    # told as that challenge, and without what he says of himself
    assert heard(told("InvalidAccountID")) is None


@pytest.mark.parametrize(
    "event",
    [
        told("InvalidPassword", service="AMI"),
        told("InvalidPassword", address=""),
        told("InvalidPassword", address="IPV4/UDP/pbx.example/5060"),
        told("InvalidPassword", address="IPV4/UDP/203.0.113.5"),
        told("Newchannel"),
    ],
)
def test_what_tells_of_no_address_at_the_door_is_no_knock(event: Message) -> None:
    assert heard(event) is None


def test_the_board_knows_where_phones_are_registered() -> None:
    def contact(name: str, uri: str) -> Message:
        return Message((("Event", "ContactList"), ("ObjectName", name), ("Uri", uri), ("Status", "NonQualified")))

    board = Board(Clock())
    board.look_at_contacts(
        [
            contact("1001;@ab", "sip:1001@203.0.113.5:5062;transport=tcp"),
            contact("1002;@cd", "sip:1002@[2001:db8::7]:5060"),
            contact("1003;@ef", "sip:1003@phone.example"),
            contact("telkomsel;@gh", "sip:203.0.113.9:5060"),
        ]
    )
    assert board.phone_addresses == {"203.0.113.5", "2001:db8::7"}
