"""What a fault is."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaos.ground import Ground


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks. `breaking` is entered to break it and left to mend it; between the two the campaign waits,
    from `shortest_s` to `longest_s`. `why_not` says why it cannot be had on that ground; empty where it can."""

    family: str
    name: str
    breaking: Callable[["Ground", Random], AbstractAsyncContextManager[None]]
    shortest_s: float = 1.0
    longest_s: float = 5.0
    why_not: Callable[["Ground"], str] = lambda ground: ""
