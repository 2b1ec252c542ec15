"""Whoever ends a bench or a campaign, by Ctrl-C or as a service manager does, ends what it has started, too."""

import os
import signal


def end_as_by_hand() -> None:
    """A stop is KeyboardInterrupt, whichever signal brings it, also where a shell began this in the background and has
    SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, frame: os.kill(os.getpid(), signal.SIGINT))
