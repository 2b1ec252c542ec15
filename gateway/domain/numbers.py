"""Numbers: which of them tell one caller from another, how the same one is written, and which the centre itself dials.

Counterparts: `callbacks.py` calls them, `advice_rules.py` knows their past, `blocks.py` and `flow.py` mean one caller
by each; `dialplan/trunk.conf` filters what the carrier sends, `dialplan/notice.conf` leaves the separators out.
"""

import re

_SEPARATORS = str.maketrans("", "", " .-()")
_NUMBER = re.compile(r"\+?[0-9]{3,}")
_NOBODYS = re.compile(r"\+?(0+|112)")
_INDONESIAN = re.compile(r"(?:0|\+?62)([1-9][0-9]{7,12})")
"""After the 0 or the country's 62 comes an area or a mobile network and the subscriber: shorter ones are local numbers
or the centre's own, where 62 may be the first digits."""

_HOME = re.compile(r"(?:\+?62|0)([1-9][0-9]*)")
"""An Indonesian number as the home network writes it; what follows is its area or network, and the subscriber."""
_AREA = r"(?:21|22|24|31|61|2[35-9][0-9]|3[2-9][0-9]|[4579][0-9]{2}|6[02-9][0-9])"
_SUBSCRIBER = re.compile(rf"8[1-57-9][0-9]{{6,10}}|{_AREA}[2-9][0-9]{{4,7}}")
"""A mobile phone (081 … 089 but satellite phones, 086), or a fixed line: none of a subscriber's begins with 0 or 1."""
_CENTRES_OWN = re.compile(rf"\+?0*(?:62)?0*{_AREA}?0?112")
_PREMIUM = re.compile(r"80[0-9]*")
_SATELLITE = re.compile(r"86[0-9]*")
_ABROAD = re.compile(r"\+(?!62)[1-9][0-9]{6,14}")
_OF_NO_COUNTRY = re.compile(r"\+(?:8[07]0|808|878|88[1238]|979|1900)[0-9]+")
"""Satellite phones and networks of no country, and premium, shared-cost and free numbers (ITU-T E.164)."""
SHORT_DIGITS = 6
"""A number of no more digits is a service's: the carrier's own, a call centre's, a phone of the house's."""


def plain(caller: str) -> str:
    """The same without the signs that people write between digits."""
    return caller.translate(_SEPARATORS)


def spellings(caller: str) -> tuple[str, ...]:
    """How carriers write that number, without separators: an Indonesian one as 0811…, 62811… and +62811…, always in
    this order; any other one as it is. So the first of them is the same for the same number."""
    number = plain(caller)
    found = _INDONESIAN.fullmatch(number)
    return (number,) if found is None else (f"0{found[1]}", f"62{found[1]}", f"+62{found[1]}")


def one_spelling(caller: str) -> str:
    """The same for each spelling of one number."""
    return spellings(caller)[0]


def is_nobodys(number: str) -> bool:
    """Whether that is what carriers send of every phone without a SIM (zeros, or 112), or the centre's own number,
    which can only be forged: many callers' at once."""
    return _NOBODYS.fullmatch(plain(number)) is not None


def is_number(caller: str) -> bool:
    """Whether that is one caller's own number: what is withheld, written otherwise or nobody's may be many callers'."""
    return _NUMBER.fullmatch(plain(caller)) is not None and not is_nobodys(caller)


def may_be_dialled(number: str, *, abroad: bool = False) -> str | None:
    """Why the centre does not dial that number, as the end of a sentence; None where it does.

    A caller's number is what a carrier says, and can be forged: whoever forges it has the centre pay for the call, or
    call itself. So an ordinary Indonesian subscriber's is dialled (08…, 628…, +628…, a fixed line with its area), and
    one abroad (+…) only where `abroad` lets it; a premium or satellite number and a short code never. The plan of
    numbers is the ministry's (Fundamental Technical Plan 2000, KM 4/2001, with its changes).
    """
    plainly = plain(number)
    home = _HOME.fullmatch(plainly)
    national = home[1] if home else ""
    if _CENTRES_OWN.fullmatch(plainly):
        return "is 112 itself"
    if len(plainly.removeprefix("+")) <= SHORT_DIGITS:
        return "is a short code, and no subscriber's number"
    if _SUBSCRIBER.fullmatch(national):
        return None
    if _PREMIUM.fullmatch(national):
        return "is a service's at a tariff of its own (080…)"
    if _SATELLITE.fullmatch(national) or _OF_NO_COUNTRY.fullmatch(plainly):
        return "is a satellite phone's, or a service's at a tariff of its own"
    if _ABROAD.fullmatch(plainly):
        return None if abroad else "is abroad, which the rules do not let operators call (callback_abroad)"
    return "is no Indonesian subscriber's number as it is written"
