"""What the patterns of the API's models mean, in words: nobody is shown a regular expression.

Counterparts: the models in `gateway/api/` that name the patterns; `problems.py` and `docs.py`, which tell people.
"""

from collections.abc import Mapping

from gateway.api.models import PRINTABLE
from gateway.domain.blocks import NUMBER_PATTERN
from gateway.domain.operators import PHONE_PATTERN
from gateway.domain.queues import NAME_PATTERN
from gateway.domain.trunks import SERVER_PATTERN

WORDS: Mapping[str, str] = {
    PRINTABLE: "without line ends, tabs and other control characters",
    PHONE_PATTERN: "3 to 6 digits",
    NAME_PATTERN: "a small letter, then small letters, digits and _, 32 at most",
    NUMBER_PATTERN: "3 to 20 digits, with + before them where it is written with one",
    r"^[+0-9A-Za-z*#._-]{1,64}$": "digits, letters and + * # . _ -, 64 at most",
    r"^[0-9]$": "one digit",
    r"^[+0-9]{3,20}$": "3 to 20 digits, with + where it is written with one",
    r"^\+?[0-9]{6,20}$": "6 to 20 digits, with + where it is written with one",
    r"^[a-z]{2,3}$": "a language's code, such as id",
    r"^[A-Za-z0-9][A-Za-z0-9 -]{0,39}$": "letters, digits, blanks and hyphens, 40 at most, a letter or digit first",
    r"^[a-z0-9-]{1,40}$": "small letters, digits and hyphens, 40 at most",
    r"^[0-9A-Fa-f.:/]{3,64}$": "an IPv4 address, or an IPv6 network of 64 bits",
    SERVER_PATTERN: "a host's name or an IPv4 address, and :port where that is another than 5060",
    r"^[0-9A-Za-z_.+-]{1,64}$": "letters, digits and _ . + -, 64 at most",
    r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$": "a time of day, such as 06:30",
    r"^2[01][0-9]{2}-[0-9]{2}-[0-9]{2}$": "a day such as 2026-08-17, in the years 2000 to 2199",
    r"^2[01][0-9]{2}-(?:0[1-9]|1[0-2])$": "a month such as 2026-11, in the years 2000 to 2199",
    r"^2[01][0-9]{2}-": "of the years 2000 to 2199",
    r"^(19|[2-8][0-9])[0-9]{2}-": "of the years 1900 to 8999",
    r'^(\*|(W/)?"[\x21\x23-\x7e]{0,64}")$': 'an ETag such as "3", or *',
}
UNKNOWN = "of another form"


def in_words(pattern: str) -> str:
    """What a value that matches the pattern is like."""
    return WORDS.get(pattern, UNKNOWN)
