"""New secrets, of letters and digits alone.

One that began with a dash would be an option to a command that is given it; and a double click takes the whole of it.
"""

import secrets
import string

LETTERS_AND_DIGITS = string.ascii_letters + string.digits
UNLIKE = "".join(sorted(set(LETTERS_AND_DIGITS) - set("0O1lI")))
"""Those that nobody takes for another."""


def for_machines() -> str:
    """A secret that programs keep: 32 characters, 190 bits."""
    return "".join(secrets.choice(LETTERS_AND_DIGITS) for _ in range(32))


def for_hands() -> str:
    """A secret that somebody reads and types into a phone: 20 characters, 116 bits."""
    return "".join(secrets.choice(UNLIKE) for _ in range(20))
