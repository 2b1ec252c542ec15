"""The chain of one day, followed to its signed end: which lines are as they were signed, and what they speak of.

Counterparts: `tracing.py` finds the line that was changed; `verify.py` holds the files against what this believes.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from gateway.vault import manifest
from gateway.vault.chain import CHAIN, HEAD, NOTHING_BEFORE, SIGNATURE, UNREADABLE_LINE
from gateway.vault.findings import Finding, Head, Verified, What
from gateway.vault.folders import CERTIFICATE, MANIFEST, folder_of
from gateway.vault.heads import Heads, HeadUnreadable, Kept
from gateway.vault.keys import fingerprint, is_signed
from gateway.vault.manifest import CERTIFICATE_FORMAT, MANIFEST_FORMAT, NoManifest
from gateway.vault.plain_files import NotPlain, read_plain
from gateway.vault.sealing import read_document
from gateway.vault.shelf import WAVEFORM
from gateway.vault.tracing import trace


class Trust:
    """What is believed of the vault at `root`: the keys that may have signed it, and what was signed here last."""

    def __init__(self, root: Path, public_pems: Sequence[bytes], heads: Heads | None) -> None:
        self.root = root.resolve()
        self.heads = heads if heads is not None and heads.is_there else None
        self._public_pems = {fingerprint(each): each for each in public_pems}

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        return any(is_signed(text, signature, each) for each in self._public_pems.values())

    @property
    def fingerprints(self) -> list[str]:
        return list(self._public_pems)

    def kept(self, day: date) -> Kept | None:
        """What was signed here last of that day. Raises HeadUnreadable."""
        return self.heads.of(day) if self.heads is not None else None


class DayChain:
    """One day's chain while it is followed. What is wrong with it, and its head where that is in order, is added to
    `found`; `files` are the manifests and certificates that can be believed, with their hashes."""

    def __init__(self, trust: Trust, day: date, found: Verified) -> None:
        self.files: dict[str, str] = {}
        self._trust = trust
        self._day = day
        self._found = found
        self._folder = trust.root / folder_of(day)

    def follow(self) -> None:
        """Reads it once. Raises OSError where the folder cannot be looked at."""
        try:
            kept = self._trust.kept(self._day)  # before the chain, which may go on meanwhile
        except HeadUnreadable as error:
            kept = None
            self._say(CHAIN, What.UNREADABLE, str(error))
        lines = self._lines()
        signed = self._signed_end(lines or [])
        if lines is None:
            self.files = self._orphans()
        else:
            self._believe(lines, signed)
        if kept is not None and (self._found.heads or not self._found.findings):
            self._look_back(lines or [], kept)

    def _say(self, file: str, what: What, said: str) -> None:
        self._found.findings.append(Finding(self._day, f"{folder_of(self._day)}/{file}", what, said))

    def _lines(self) -> list[bytes] | None:
        """The whole lines; None where somebody removed the chain, or it cannot be read."""
        try:
            data = read_plain(self._folder / CHAIN)
        except FileNotFoundError:
            if not (self._folder / HEAD).exists():
                return []
            self._say(CHAIN, What.MISSING, "the chain is not there, and its signed head is")
            return None
        except OSError as error:
            self._say(CHAIN, What.UNREADABLE, f"the chain cannot be read: {error.strerror}")
            return None
        lines = data.splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
            self._say(CHAIN, What.TORN, f"the last line is torn, after {len(lines)} whole ones")
        return lines

    def _believe(self, lines: list[bytes], signed: tuple[int, str] | None) -> None:
        """Names each line that is not as it was signed, and takes the others at their word."""
        traced = trace(lines, signed)
        told = ((What.MISSING, traced.removed), (What.REWRITTEN, traced.changed), (What.ADDED, traced.added))
        for what, each in told:
            for said in each:
                self._say(CHAIN, what, said)
        if traced.first is not None:
            self._look_at_day_before(traced.first)
        self.files = traced.files
        if traced.removed or traced.changed:
            self.files |= self._orphans()

    def _orphans(self) -> dict[str, str]:
        """The manifests and certificates that this vault signed and that no line speaks of any more, with the hashes
        that they have now: they were not added, and what they speak of is held against them."""
        found = {}
        for path in sorted(self._folder.glob("*.json")):
            if path.name.startswith(".") or path.name.endswith(WAVEFORM) or path.name in self.files:
                continue
            is_certificate = path.name.endswith(CERTIFICATE)
            found_id = path.name.removesuffix(CERTIFICATE if is_certificate else MANIFEST)
            try:
                data = read_document(path)
                document = manifest.read(data, found_id, CERTIFICATE_FORMAT if is_certificate else MANIFEST_FORMAT)
            except (OSError, NoManifest):
                continue
            if manifest.is_signed(document, f"{folder_of(self._day)}/{path.name}", self._trust.is_signed):
                found[path.name] = hashlib.sha256(data).hexdigest()
        return found

    def _look_at_day_before(self, document: Mapping[str, Any]) -> None:
        named, before = document["previous_day"], document["previous"]
        if named is None:
            return
        try:
            day = date.fromisoformat(named)
        except (ValueError, TypeError):
            self._say(CHAIN, What.REWRITTEN, "line 1 names no day before it")
            return
        lines = _hashes_of_lines(self._trust.root / folder_of(day) / CHAIN)
        if lines is None:
            return
        if not lines:
            self._say(CHAIN, What.MISSING, f"the chain of {folder_of(day)}, which this one follows, is not there")
        elif before not in lines:
            self._say(CHAIN, What.REWRITTEN, f"the chain of {folder_of(day)} has not the line that this one follows")

    def _signed_end(self, lines: list[bytes]) -> tuple[int, str] | None:
        """How many lines were signed, and the last one's hash; None where no signature says so, which is told."""
        try:
            text, signature = read_plain(self._folder / HEAD), read_plain(self._folder / SIGNATURE)
        except FileNotFoundError as error:
            if lines:
                self._say(Path(str(error.filename)).name, What.MISSING, "the chain's end is not signed")
            return None
        except OSError as error:
            self._say(HEAD, What.UNREADABLE, f"it cannot be read: {error.strerror}")
            return None
        try:
            head = json.loads(text)
            entries, last, day, key = int(head["entries"]), str(head["last"]), str(head["day"]), str(head["key"])
        except UNREADABLE_LINE:
            self._say(HEAD, What.REWRITTEN, "it is no head of a chain")
            return None
        if not self._trust.is_signed(text, signature):
            self._say_why_unsigned(key)
            return None
        if day != self._day.isoformat():
            self._say(HEAD, What.SWAPPED, f"it is the head of {day}")
            return None
        now = hashlib.sha256(lines[-1]).hexdigest() if lines else NOTHING_BEFORE
        if (entries, last) == (len(lines), now):
            self._found.heads.append(Head(self._day, entries, last))
        elif len(lines) > entries and self._has_begun(len(lines), now):
            said = f"{len(lines) - entries} line(s) after the signed end: the worker was interrupted"
            self._say(CHAIN, What.UNFINISHED, said)
            return len(lines), now
        return entries, last

    def _look_back(self, lines: list[bytes], kept: Kept) -> None:
        """Holds the chain, whose head is in order, against what was signed here last."""
        if len(lines) < kept.entries:
            said = f"it was put back to an older state: it has {len(lines)} lines, and {kept.entries} were signed here"
            self._say(CHAIN, What.MISSING, said)
        elif hashlib.sha256(lines[kept.entries - 1]).hexdigest() != kept.last:
            self._say(CHAIN, What.REWRITTEN, f"its line {kept.entries} is not the one that was signed here last")

    def _say_why_unsigned(self, key: str) -> None:
        ours = self._trust.fingerprints
        if not ours:
            self._say(HEAD, What.BAD_SIGNATURE, "the public key is not there, so the signature cannot be checked")
        elif key not in ours:
            named = " or ".join(ours)
            self._say(HEAD, What.BAD_SIGNATURE, f"it says to be signed with the key {key}, and not with {named}")
        elif (self._folder / f".{HEAD}.next").exists():
            self._say(HEAD, What.UNFINISHED, "the worker was interrupted while it put the head in place")
        else:
            self._say(HEAD, What.BAD_SIGNATURE, "the signature is not that of this head")

    def _has_begun(self, entries: int, last: str) -> bool:
        """Whether the worker has signed what is not in place yet."""
        try:
            text = read_plain(self._folder / f".{HEAD}.next")
            signature = read_plain(self._folder / f".{SIGNATURE}.next")
            head = json.loads(text)
            return self._trust.is_signed(text, signature) and (head["entries"], head["last"]) == (entries, last)
        except (OSError, *UNREADABLE_LINE):
            return False


def _hashes_of_lines(chain: Path) -> set[str] | None:
    """The hashes of all lines of a chain; None where it cannot be read, which is told of that day."""
    try:
        data = read_plain(chain)
    except (FileNotFoundError, NotPlain):
        return set()
    except OSError:
        return None
    return {hashlib.sha256(line).hexdigest() for line in data.splitlines(keepends=True)}
