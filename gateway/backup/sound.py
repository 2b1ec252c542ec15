"""The recordings in a backup, while calls are recorded, sealed and destroyed: each day as it stood at one moment.

Counterpart: `making.py`. The order makes it whole without holding anybody up. First the raw sound: what was discarded
by then stands in the chain. Then the chain, as its signed head knows it. Then what the chain names: all of that was
there before its line was. What is sealed later is in the backup as raw sound, and is sealed again after a restore.
"""

import hashlib
import itertools
import json
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from gateway.backup.folder import RECORDINGS, Tell, Unread, Writing, is_safe
from gateway.vault import manifest
from gateway.vault.certificates import Certificates
from gateway.vault.chain import CHAIN, HEAD, SIGNATURE, UNREADABLE_LINE
from gateway.vault.folders import (
    CERTIFICATE,
    LINKED,
    MANIFEST,
    RAW_ENDINGS,
    days,
    folder_of,
    is_gone,
    linked_days,
    part_of,
    without_ending,
)
from gateway.vault.keys import is_signed
from gateway.vault.manifest import NoManifest
from gateway.vault.plain_files import read_plain
from gateway.vault.sealing import read_document
from gateway.vault.shelf import SOUND_ENDINGS, WAVEFORM
from gateway.vault.strays import named_by

LOOKS, LOOK_AGAIN_S = 40, 0.05
"""A chain's line and its head are written a moment apart."""
DESTROYED_WITHIN_S = 10.0
"""The worker has the lowest priority."""
STANDS_WITHIN_S = 0.5


@dataclass(slots=True)
class Found:
    """What was copied. `problems` are recordings that are not as they were sealed, which are copied as they are, and
    files that cannot be read, which are left out."""

    recordings: int = 0
    in_bucket: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Chain:
    """A day's chain up to its signed head: three files, and the hashes of what it names. One that is not as its head
    says is as it lies, and names what anybody wrote there."""

    files: Mapping[str, bytes]
    entries: Mapping[str, str]
    is_signed: bool = True


def copy_sound(
    root: Path, public_pems: list[bytes], signed: Collection[date], writing: Writing, tell: Tell, *, has_bucket: bool
) -> Found:
    """Copies all days. `signed` are those of which something was signed here: one that is not there is a problem, and
    more often than not a disk that is not mounted. May raise OSError."""
    found = Found()
    gone = sorted(day for day in signed if is_gone(root / folder_of(day) / CHAIN))
    if gone:
        more = f", and {len(gone) - 1} more days are not" if len(gone) > 1 else ""
        said = "it was signed here, and is not there"
        found.problems.append(f"{folder_of(gone[0])}/{CHAIN}: {said}{more}: is the recordings' disk mounted?")
    found.problems += [f"{folder_of(day)}: it is left out: {LINKED}" for day in linked_days(root)]
    # the newest first: the first line of a day names a line of the day before, which then is surely there
    for day in sorted(days(root), reverse=True):
        _Day(root, folder_of(day), public_pems, writing, tell, found, has_bucket=has_bucket).copy()
    return found


_OF_SOUND = (*RAW_ENDINGS, *SOUND_ENDINGS, WAVEFORM)
_OF_RECORDING = (MANIFEST, *SOUND_ENDINGS, WAVEFORM, CERTIFICATE)
"""Of sealed ones. The longest that fits a name is the last."""


class _Day:
    def __init__(
        self,
        root: Path,
        day: str,
        public_pems: list[bytes],
        writing: Writing,
        tell: Tell,
        found: Found,
        *,
        has_bucket: bool,
    ) -> None:
        self._root = root
        self._folder = root / day
        self._day = day
        self._public_pems = public_pems
        self._certificates = Certificates(root, lambda: public_pems)
        self._writing = writing
        self._tell = tell
        self._found = found
        self._has_bucket = has_bucket
        self._copied: set[str] = set()
        self._said: set[str] = set()
        self._in_bucket = 0

    def copy(self) -> None:
        try:
            lying = sorted(self._folder.iterdir())
        except OSError as error:
            self._say("", f"the folder cannot be read, and is left out: {error.strerror}")
            return
        for path in lying:
            if path.suffix in RAW_ENDINGS and not path.name.startswith("."):
                self._take(path.name)
        until = time.monotonic() + DESTROYED_WITHIN_S
        for look in itertools.count():
            chain = self._chain()
            gone = self._take_sealed(chain)
            # what is being destroyed: its certificate stands in the chain a moment later
            ending = [name for name in gone if self._certificates.have_begun(f"{self._day}/{name}")]
            if not gone or time.monotonic() > until or (look and not ending):
                break
            time.sleep(LOOK_AGAIN_S)
        for name in ending:  # a crash in the middle of it: it is finished after a restore
            certificate = self._folder / f"{without_ending(name)}{CERTIFICATE}"
            if not self._take(certificate.name):
                self._take(part_of(certificate).name)
        for name in sorted({*gone} - {*ending}):
            self._found.problems.append(f"{self._day}/{name}: it stands in the chain, and is not there")
        certificates = [name for name in {*chain.entries, *self._copied} if name.endswith(CERTIFICATE)]
        certified = {name.removesuffix(CERTIFICATE) for name in certificates}
        for name in self._copied if chain.is_signed else ():
            # sound that was copied a moment before its recording was destroyed
            its = next((each for each in _OF_SOUND if name.endswith(each)), None)
            if its is not None and name.removesuffix(its) in certified:
                self._writing.forget(f"{RECORDINGS}/{self._day}/{name}")
        self._take_unchained(chain)
        for name, data in chain.files.items():
            self._writing.write(data, f"{RECORDINGS}/{self._day}/{name}")
        self._found.recordings += sum(not each.endswith(CERTIFICATE) for each in chain.entries)
        self._found.in_bucket += self._in_bucket

    def _take_unchained(self, chain: _Chain) -> None:
        """Takes sealed recordings that stand in no chain, as where a new one was begun in the place of one that
        somebody changed; and all that lies there where nobody knows what the chain named."""
        lying = {path.name for path in self._folder.iterdir() if not path.name.startswith(".")}
        lying -= self._copied | {CHAIN, HEAD, SIGNATURE}
        if chain.is_signed:
            # what is sealed or destroyed meanwhile stands in the chain a moment later
            for pause_s in (0.0, STANDS_WITHIN_S):
                time.sleep(pause_s)
                lying = self._unchained(lying)
                if not lying:
                    return
            self._say("", f"{len(lying)} files stand in no chain; they are copied as they lie")
        for name in sorted(lying):
            self._take(name)

    def _unchained(self, lying: set[str]) -> set[str]:
        """Which of these files are of recordings that are in no chain now, and of which no raw sound is here."""
        there = lying | self._copied
        ids = {name.removesuffix(CERTIFICATE).removesuffix(MANIFEST) for name in self._chain().entries}
        ids |= {name.removesuffix(ending) for name in there for ending in RAW_ENDINGS if name.endswith(ending)}
        own = {name: each for name in lying for each in _OF_RECORDING if name.endswith(each)}
        return {name for name, ending in own.items() if name.removesuffix(ending) not in ids}

    def _take_sealed(self, chain: _Chain) -> list[str]:
        """Takes what the chain names; returns what is not there."""
        gone, self._in_bucket = [], 0
        for name, digest in chain.entries.items():
            if name not in self._copied and not self._take(name, digest):
                gone.append(name)
            elif not name.endswith(CERTIFICATE) and f"{name.removesuffix(MANIFEST)}{CERTIFICATE}" not in chain.entries:
                gone += self._take_sound_of(name)
        return gone

    def _take_sound_of(self, file: str) -> Iterator[str]:
        found_id = file.removesuffix(MANIFEST)
        try:
            data = read_document(self._writing.folder / RECORDINGS / self._day / file)
            named = list(named_by(manifest.read(data, found_id), found_id).items())
        except (OSError, NoManifest):
            self._say(file, "it is no manifest; what has its name is copied as it lies")
            for ending in (*SOUND_ENDINGS, WAVEFORM):
                if (name := f"{found_id}{ending}") not in self._copied:
                    self._take(name)
            return
        for name, digest in named:
            if name in self._copied or self._take(name, digest):
                continue
            if not self._has_bucket:
                yield name
            elif name == named[0][0]:
                self._in_bucket += 1

    def _take(self, name: str, digest: str | None = None) -> bool:
        """Whether it was there."""
        full = f"{RECORDINGS}/{self._day}/{name}"
        if not is_safe(full) or "/" in name:
            self._found.problems.append(f"{self._day}/{name!r}: it has no name of a recording's; it is left out")
            return True
        try:
            taken = self._writing.copy(self._folder / name, full, self._tell, self._root)
        except FileNotFoundError:
            return False
        except Unread as error:  # a bad sector, or what somebody put in its place: it keeps no other file out
            self._say(name, f"it cannot be read, and is left out: {error.strerror}")
            return True
        self._copied.add(name)
        if digest not in (None, taken):
            self._found.problems.append(f"{self._day}/{name}: it is not what was sealed; it is copied as it is")
        return True

    def _say(self, file: str, said: str) -> None:
        """Once, however often it is looked at."""
        problem = f"{self._day}{'/' if file else ''}{file}: {said}"
        if problem not in self._said:
            self._said.add(problem)
            self._found.problems.append(problem)

    def _chain(self) -> _Chain:
        """The chain as its head knows it. One that somebody changed is taken as it is, and told."""
        for _ in range(LOOKS):
            # the head before the lines that it speaks of
            files = {name: self._read(name) for name in (HEAD, SIGNATURE, CHAIN)}
            if all(data is None for data in files.values()):
                return _Chain({}, {})
            if (chain := self._signed(files)) is not None:
                return chain
            time.sleep(LOOK_AGAIN_S)
        self._found.problems.append(f"{self._day}/{CHAIN}: it is not as its signed head says; all is copied as it lies")
        there = {name: data for name, data in files.items() if data is not None}
        return _Chain(there, _entries((there.get(CHAIN) or b"").splitlines()), is_signed=False)

    def _signed(self, files: Mapping[str, bytes | None]) -> _Chain | None:
        head, signature, lines = files[HEAD], files[SIGNATURE], (files[CHAIN] or b"").splitlines(keepends=True)
        if head is None or signature is None:
            return None
        if not any(is_signed(head, signature, pem) for pem in self._public_pems):
            return None
        try:
            document = json.loads(head)
            known, last = lines[: int(document["entries"])], document["last"]
        except UNREADABLE_LINE:  # one of the keys signed it, and as something else
            return None
        if not known or hashlib.sha256(known[-1]).hexdigest() != last:
            return None
        return _Chain({CHAIN: b"".join(known), HEAD: head, SIGNATURE: signature}, _entries(known))

    def _read(self, name: str) -> bytes | None:
        try:
            return read_plain(self._folder / name, self._root)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._say(name, f"it cannot be read, and is left out: {error.strerror}")
            return None


def _entries(lines: list[bytes]) -> dict[str, str]:
    found = {}
    for line in lines:
        try:
            document = json.loads(line)
            found[str(document["file"])] = str(document["sha256"])
        except UNREADABLE_LINE:
            continue  # `vault verify` tells of it
    return found
