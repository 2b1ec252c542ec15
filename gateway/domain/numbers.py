"""Numbers: which of them tell one caller from another, and how the same one is written.

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
