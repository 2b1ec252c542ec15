"""What the operator's phone is told to do: the one value that goes into its process.

Counterpart: `softphone.py` sends it, `phone.py` takes it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Order:
    """`host` and `port` are Asterisk's, the rest is the phone's own. The phone sends `send_hz` and listens for
    `listen_hz`."""

    host: str
    port: int
    number: str
    secret: str
    own_host: str
    own_port: int
    sound_port: int
    send_hz: float
    listen_hz: float
