"""What lies in the recordings' folder and belongs to nothing: in a day's folder what neither its chain nor a seal at
work speaks of, and everything beside the days. Nothing here changes anything, follows a link or waits for a pipe.

Counterparts: `verify.py` asks; `sealing.py`, `destruction.py`, `chain.py` and `moving.py` leave what is excused here.
"""

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from gateway.vault import manifest
from gateway.vault.chain import HEAD, SIGNATURE
from gateway.vault.folders import CERTIFICATE, RAW_ENDINGS, part_of
from gateway.vault.manifest import NoManifest
from gateway.vault.plain_files import open_plain
from gateway.vault.shelf import SOUND_ENDINGS, WAVEFORM

Stray = tuple[str, str]
"""A file's name, and what is wrong with it, for people."""

MOST_NOTE_BYTES = 64 * 1024
"""No plan, certificate, head or mark of a process is longer."""
_NO_FILE = "it is a link, a pipe or a folder where only a plain file may be"
_NO_CHAIN = "it stands in no chain"
_NEXT = frozenset(f".{name}.next" for name in (HEAD, SIGNATURE))
_OF_THE_ROOT = re.compile(r"\.vault-worker|\.claim-.+|README\.md|\.gitignore|\.gitkeep")
"""Marks of processes, and what a repository keeps a folder with."""
_LEVELS = tuple(re.compile(pattern) for pattern in (r"\d{4}", r"\d{2}", r"\d{2}"))
_LOST_AND_FOUND = "lost+found"


@dataclass(frozen=True, slots=True)
class Raw:
    """The raw sound that a manifest was made of."""

    file: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Raw":
        """What a manifest says of it, in which `named_by` found nothing wrong."""
        raw = document["raw"]
        return cls(raw["file"], raw["bytes"], raw["sha256"])


@dataclass(frozen=True, slots=True)
class Chained:
    """What a day's chain speaks of: the files, and the raw sound of those manifests among them that are as they were,
    by recording."""

    files: Collection[str]
    raws: Mapping[str, Raw]

    def is_destroyed(self, found_id: str) -> bool:
        return f"{found_id}{CERTIFICATE}" in self.files


def named_by(document: Mapping[str, Any], found_id: str) -> dict[str, str]:
    """The stored sound and the waveform that a manifest, or a plan, names, each with its SHA-256. Raises NoManifest
    where it lacks them, or names what is another recording's."""
    try:
        stored, peaks = document["stored"], document["waveform"]
        named = {stored["file"]: stored["sha256"], peaks["file"]: peaks["sha256"]}
        is_whole = all(isinstance(each, str) for each in named.values()) and isinstance(stored["key"], str | None)
        raw = document["raw"]
        is_whole = is_whole and isinstance(raw["sha256"], str) and isinstance(raw["bytes"], int)
    except (KeyError, TypeError) as error:
        raise NoManifest(f"it lacks {error}") from None
    own = {f"{found_id}{ending}" for ending in SOUND_ENDINGS}
    if not is_whole or stored["file"] not in own or peaks["file"] != f"{found_id}{WAVEFORM}":
        raise NoManifest("it names what is not its own")
    if raw["file"] not in {f"{found_id}{ending}" for ending in RAW_ENDINGS}:
        raise NoManifest("it names raw sound that is not its own")
    return named


def in_day(folder: Path, on_shelf: Collection[str], known: Collection[str], chained: Chained) -> Iterator[Stray]:
    """What is too much in a day's folder, and among the stored sound of that day, wherever it lies. `known` is what was
    looked at already."""
    try:
        here = set(os.listdir(folder))
    except OSError as error:
        yield "", f"the folder cannot be read: {error.strerror}"
        return
    for name in sorted((here | set(on_shelf)) - set(known)):
        if name in here:
            try:
                status = (folder / name).lstat()
            except FileNotFoundError:
                continue  # it is done with
            except OSError as error:
                yield name, f"it cannot be looked at: {error.strerror}"
                continue
            said = _wrong_here(folder / name, status, chained, here)
        else:
            said = _NO_CHAIN
        if said is not None:
            yield name, said


def _wrong_here(path: Path, status: os.stat_result, chained: Chained, here: Collection[str]) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return _NO_FILE
    if path.name.startswith("."):
        return None if _is_at_work(path, status.st_size, chained, here) else _NO_CHAIN
    if path.suffix in RAW_ENDINGS:
        return _wrong_with_raw(path, status.st_size, chained)
    return None if _is_planned(path, here) else _NO_CHAIN


def _wrong_with_raw(path: Path, size_bytes: int, chained: Chained) -> str | None:
    """Raw sound of a call that runs, waits to be sealed, or was sealed and not discarded yet, is in order."""
    if chained.is_destroyed(path.stem):
        return "its destruction was certified, and there is raw sound of it"
    if (raw := chained.raws.get(path.stem)) is None:
        return None
    is_its = path.name == raw.file and size_bytes == raw.bytes and _is(path, raw.sha256)
    return None if is_its else "it is not the raw sound that was sealed"


def _is_planned(path: Path, here: Collection[str]) -> bool:
    """Whether it is being sealed, or will be taken up where that was interrupted: a whole plan names it as it is, and
    its raw sound is still there."""
    found_id = path.name
    for ending in (WAVEFORM, *reversed(SOUND_ENDINGS)):
        found_id = found_id.removesuffix(ending)
    try:
        plan = manifest.read(_note(part_of(path.with_name(f"{found_id}.json"))), found_id)
        named = named_by(plan, found_id)
    except (OSError, NoManifest):
        return False
    return plan["raw"]["file"] in here and path.name in named and _is(path, named[path.name])


def _is_at_work(path: Path, size_bytes: int, chained: Chained, here: Collection[str]) -> bool:
    """Whether the worker leaves such a file where it is at work, or was interrupted."""
    name = path.name
    if name in _NEXT or name in {f".{each}.part" for each in _NEXT}:
        return size_bytes <= MOST_NOTE_BYTES
    if name.endswith(f"{WAVEFORM}.part"):
        found_id = name.removeprefix(".").removesuffix(f"{WAVEFORM}.part")
        return _has_raw(found_id, here) and _has_begun_as_json(path)
    if name.endswith(".json.part"):
        return size_bytes <= MOST_NOTE_BYTES and _has_begun_as_json(path)
    for ending in SOUND_ENDINGS:
        for half in (".part", ".coming"):
            if name.endswith(f"{ending}{half}"):
                found_id = name.removeprefix(".").removesuffix(f"{ending}{half}")
                is_sealed = found_id in chained.raws and not chained.is_destroyed(found_id)
                return is_sealed or _has_raw(found_id, here)
    return False


def _has_raw(found_id: str, here: Collection[str]) -> bool:
    return any(f"{found_id}{ending}" in here for ending in RAW_ENDINGS)


def _has_begun_as_json(path: Path) -> bool:
    """Whether it is text as a note is, be it torn, and no sound under such a name."""
    try:
        return re.fullmatch(rb"(\{[^\x00-\x08\x0e-\x1f]*)?", _note(path), re.DOTALL) is not None
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _note(path: Path) -> bytes:
    with os.fdopen(open_plain(path), "rb") as file:
        return file.read(MOST_NOTE_BYTES)


def _is(path: Path, sha256: str) -> bool:
    """Whether that is in the file; also where it is gone meanwhile."""
    try:
        with os.fdopen(open_plain(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return True
    except OSError:
        return False


def beside_days(root: Path, within: str = "") -> Iterator[Stray]:
    """Every file under the recordings' folder that lies in no day's folder, such as `2026/11/a.ogg`."""
    depth = len(within.split("/")) if within else 0
    entries = _entries(root / within)
    if entries is None:
        yield within, "the folder cannot be read"
    for entry in entries or ():
        name = f"{within}/{entry.name}" if within else entry.name
        is_folder = _is_folder(entry)
        if is_folder and _LEVELS[depth].fullmatch(entry.name):
            if depth < len(_LEVELS) - 1:
                yield from beside_days(root, name)
            elif not _is_day(name):
                yield from _all_of(root, name)
        elif is_folder:
            yield from _all_of(root, name)
        elif depth or not (_OF_THE_ROOT.fullmatch(entry.name) and _is_mark(entry)):
            yield name, "it lies in no day's folder"


def _all_of(root: Path, within: str) -> Iterator[Stray]:
    waiting = [within]
    while waiting:
        folder = waiting.pop()
        if folder == _LOST_AND_FOUND and not os.access(root / folder, os.R_OK | os.X_OK):
            continue  # of the file system, and of root alone
        entries = _entries(root / folder)
        if entries is None:
            yield folder, "the folder cannot be read"
        for entry in entries or ():
            if _is_folder(entry):
                waiting.append(f"{folder}/{entry.name}")
            else:
                yield f"{folder}/{entry.name}", "it lies in no day's folder"


def _entries(folder: Path) -> list[os.DirEntry[str]] | None:
    """What is in it, by name; None where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError:
        return None


def _is_mark(entry: os.DirEntry[str]) -> bool:
    """Whether it is such a small file as a process holds to say that it is there, or is gone meanwhile."""
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size <= MOST_NOTE_BYTES


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False  # the disk does not say: it is named


def _is_day(name: str) -> bool:
    try:
        date(*map(int, name.split("/")))
    except ValueError:
        return False
    return True
