"""Numbers: which of them tell one caller from another.

Counterparts: `callbacks.py` calls them, `advice_rules.py` knows their past, `blocks.py` and `flow.py` mean one caller
by each; `dialplan/trunk.conf` filters what the carrier sends.
"""

import re

_SEPARATORS = str.maketrans("", "", " .-()")
_NUMBER = re.compile(r"\+?[0-9]{3,}")
_NOBODYS = re.compile(r"\+?(0+|112)")


def plain(caller: str) -> str:
    """The same without the signs that people write between digits."""
    return caller.translate(_SEPARATORS)


def is_nobodys(number: str) -> bool:
    """Whether that is what carriers send of every phone without a SIM (zeros, or 112), or the centre's own number,
    which can only be forged: many callers' at once."""
    return _NOBODYS.fullmatch(plain(number)) is not None


def is_number(caller: str) -> bool:
    """Whether that is one caller's own number: what is withheld, written otherwise or nobody's may be many callers'."""
    return _NUMBER.fullmatch(plain(caller)) is not None and not is_nobodys(caller)
