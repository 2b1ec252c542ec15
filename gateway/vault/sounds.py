"""Sealed sound, read from any byte on: plain or in a box, in the recordings' folder or wherever the shelf is.

Counterparts: `sealing.py` put it there; `gateway/api/` serves it. Sound that is not sealed yet is read by
`recordings.py`.
"""

import os
from pathlib import Path
from typing import Protocol

from gateway.domain.recordings import Recording, State
from gateway.settings import Settings
from gateway.vault.box import Box
from gateway.vault.folders import LeavesTheVault, inside
from gateway.vault.keys import KeyRing
from gateway.vault.plain_files import open_plain, read_plain
from gateway.vault.recordings import NoRecording
from gateway.vault.shelf import NotThere, Shelf, shelf_for


class Sound(Protocol):
    """The Ogg file of a sealed recording."""

    @property
    def size_bytes(self) -> int: ...

    def version(self) -> str | None:
        """Names the file that is there now, another one as soon as it was written to; None where whatever is read
        proves itself. Blocking. Raises NoRecording where it is gone, ShelfAway."""

    def is_near(self) -> bool:
        """Whether it lies on the disk now, so that no network is waited for. Blocking. Raises ShelfAway."""

    def read(self, start: int, stop: int) -> bytes:
        """The bytes [start, stop); shorter only at its end. Blocking. Raises NoRecording where it is gone, Unopenable
        where its box was changed, ShelfAway."""


class Sounds:
    """All sealed sound."""

    def __init__(self, root: Path, shelf: Shelf, ring: KeyRing) -> None:
        self._root = root.resolve()
        self._shelf = shelf
        self._ring = ring

    @classmethod
    def of(cls, settings: Settings) -> "Sounds":
        """Those of the vault that the settings name."""
        return cls(settings.paths.recordings, shelf_for(settings), KeyRing(settings.vault_dir))

    def open(self, recording: Recording) -> Sound:
        """The sound of a sealed recording. Blocking. Raises NoRecording where there is none, KeyMissing and Unopenable
        where its box does not open, ShelfAway where the place does not answer; each in plain words."""
        seal = recording.seal
        if seal is None or recording.state is State.DESTROYED:
            raise NoRecording(f"there is no sealed sound of {recording.id}")
        try:
            self._see_that_it_is_plain(seal.stored)
            size_bytes = self._shelf.size_bytes(seal.stored)
        except LeavesTheVault as error:
            raise NoRecording(str(error)) from error
        if size_bytes is None:
            raise NoRecording(f"the sealed sound of {recording.id} is not there")
        plain = _Plain(self._shelf, seal.stored, size_bytes)
        if seal.key is None:
            return plain
        return Box(plain.read, size_bytes, lambda name: self._ring.key(name), recording.id)

    def waveform(self, recording: Recording) -> bytes:
        """The waveform of a sealed recording: JSON (`sound_levels.waveform`). Blocking. Raises NoRecording."""
        try:
            path = inside(self._root, recording.file)
            return read_plain(path.with_name(f"{recording.id}.peaks.json"))
        except (LeavesTheVault, OSError) as error:
            raise NoRecording(f"there is no waveform of {recording.id}") from error

    def _see_that_it_is_plain(self, name: str) -> None:
        """Raises NoRecording where something else lies in its place on the disk: a link, a pipe. It may lie elsewhere
        altogether, on which the shelf has its say."""
        try:
            os.close(open_plain(inside(self._root, name)))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise NoRecording(f"the sealed sound cannot be read: {error.strerror}") from error


class _Plain:
    def __init__(self, shelf: Shelf, name: str, size_bytes: int) -> None:
        self._shelf = shelf
        self._name = name
        self.size_bytes = size_bytes

    def version(self) -> str:
        version = self._shelf.version(self._name)
        if version is None:
            raise NoRecording(f"{self._name} is not there any more")
        return version

    def is_near(self) -> bool:
        return self._shelf.is_near(self._name)

    def read(self, start: int, stop: int) -> bytes:
        start, stop = max(0, start), min(stop, self.size_bytes)
        if stop <= start:
            return b""
        try:
            return self._shelf.read(self._name, start, stop)
        except NotThere as error:
            raise NoRecording(str(error)) from error
