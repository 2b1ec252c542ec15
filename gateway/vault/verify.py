"""Whether the vault is as it was left: each chain followed, each signature checked, each file hashed. It needs no
gateway, no database and no private key, and changes nothing.

Counterparts: `sealing.py`, `destruction.py` and `chain.py` wrote what is checked here; `gateway112 vault verify` tells.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from gateway.vault import manifest, strays
from gateway.vault.chain import CHAIN, HEAD, NOTHING_BEFORE, SIGNATURE, UNREADABLE_LINE
from gateway.vault.findings import Finding, Head, Verified, What
from gateway.vault.folders import LeavesTheVault, days, folder_of, part_of
from gateway.vault.heads import Heads, HeadUnreadable, Kept
from gateway.vault.keys import fingerprint, is_signed
from gateway.vault.manifest import CERTIFICATE_FORMAT, MANIFEST_FORMAT, NoManifest
from gateway.vault.plain_files import NotPlain, read_plain
from gateway.vault.sealing import read_document, sha256_on
from gateway.vault.shelf import SOUND_ENDINGS, WAVEFORM, FolderUnreadable, Shelf, ShelfAway
from gateway.vault.tracing import trace

LOOK_AGAIN_S, LOOKS = 0.5, 8
"""What is found while the worker writes may be its half-done step: only what is found so often, that long apart, is."""
AWAY_IN_A_ROW = 3
"""After so many files that a shelf does not give, one after the other, it is asked whether it answers at all."""
_MANIFEST, _CERTIFICATE = ".json", ".destroyed.json"


class Verifier:
    """Looks at the vault. `public_pems` are the keys that may have signed it, `key_names` those of the ring; neither
    has to be there."""

    def __init__(
        self,
        root: Path,
        shelf: Shelf,
        public_pems: Sequence[bytes],
        key_names: frozenset[str],
        *,
        heads: Heads | None = None,
        is_written_to: Callable[[], bool] = lambda: False,
    ) -> None:
        self._root = root.resolve()
        self._shelf = shelf
        self._public_pems = {fingerprint(each): each for each in public_pems}
        self._key_names = key_names
        self._heads = heads if heads is not None and heads.is_there else None
        self._is_written_to = is_written_to

    def size_bytes(self, since: date) -> int:
        """How much there is to read, for whoever wants to show how far it is."""
        size_bytes = 0
        for day in days(self._root, since):
            with contextlib.suppress(FolderUnreadable, LeavesTheVault, OSError):  # which is told when it is its turn
                size_bytes += sum(each.bytes for each in self._shelf.lying(folder_of(day)))
        return size_bytes

    def verify(self, since: date = date.min, tell: Callable[[int], object] = lambda _: None) -> Verified:
        """Looks at all days from `since` on, and at what lies beside the days. `tell` hears how many bytes were read,
        piece by piece. May raise ShelfAway where the place does not answer at all."""
        everything = Verified(tells_rollbacks=self._heads is not None)
        for found in (*(self.look_at(day, tell) for day in self.days(since)), self.look_beside()):
            everything.recordings += found.recordings
            everything.destroyed += found.destroyed
            everything.bytes += found.bytes
            everything.heads += found.heads
            everything.findings += found.findings
        return everything

    def days(self, since: date = date.min) -> list[date]:
        """The days that have a folder or were signed here, oldest first."""
        signed = self._heads.days() if self._heads is not None else set()
        return sorted({*days(self._root, since), *(each for each in signed if each >= since)})

    def heads(self, days: Sequence[date]) -> list[Finding]:
        """What is wrong with the chains of these days and their signed heads, and which of the days are gone. No other
        file is read, and none twice: what the worker is at just then is told, too."""
        found: list[Finding] = []
        for day in days:
            gone = self._gone(day)
            found += [gone] if gone is not None else _Day(self, day, lambda _: None, set()).verify_head().findings
        return found

    def reach(self, day: date) -> None:
        """Returns where that day's stored sound can be looked at. Raises ShelfAway: what a place that is away does not
        give is no finding. A folder that alone cannot be read is one."""
        with contextlib.suppress(FolderUnreadable, LeavesTheVault, OSError):
            for _ in self._shelf.lying(folder_of(day)):
                return

    def look_beside(self) -> Verified:
        """Looks at what lies beside the days' folders."""
        return Verified(
            findings=[Finding(None, file, What.ADDED, said) for file, said in strays.beside_days(self._root)]
        )

    def look_at(self, day: date, tell: Callable[[int], object] = lambda _: None) -> Verified:
        """Looks at all of that day. Raises what `verify` does."""
        if (gone := self._gone(day)) is not None:
            return Verified(findings=[gone])
        in_order: set[str] = set()
        found = _Day(self, day, tell, in_order).verify()
        for _ in range(LOOKS - 1):
            if not found.findings or not self._is_written_to():
                break
            time.sleep(LOOK_AGAIN_S)
            again = _Day(self, day, lambda _: None, in_order).verify()
            again.findings = [each for each in again.findings if each in found.findings]
            found = again
        return found

    def _gone(self, day: date) -> Finding | None:
        try:
            if (self._root / folder_of(day)).is_dir():
                return None
        except OSError as error:
            return Finding(day, folder_of(day), What.UNREADABLE, f"it cannot be looked at: {error.strerror}")
        return Finding(day, folder_of(day), What.MISSING, "the day was signed here, and its folder is not there")

    def lines_of(self, day: date) -> set[str] | None:
        """The hashes of all lines of a day's chain; None where it cannot be read, which is told of that day."""
        try:
            data = read_plain(self._root / folder_of(day) / CHAIN)
        except (FileNotFoundError, NotPlain):
            return set()
        except OSError:
            return None
        return {hashlib.sha256(line).hexdigest() for line in data.splitlines(keepends=True)}

    def kept(self, day: date) -> Kept | None:
        """What was signed here last of that day. Raises HeadUnreadable."""
        return self._heads.of(day) if self._heads is not None else None

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        return any(is_signed(text, signature, each) for each in self._public_pems.values())

    @property
    def root(self) -> Path:
        return self._root

    @property
    def shelf(self) -> Shelf:
        return self._shelf

    @property
    def key_names(self) -> frozenset[str]:
        return self._key_names

    @property
    def fingerprints(self) -> list[str]:
        return list(self._public_pems)


class _Day:
    """One day's folder while it is looked at."""

    def __init__(self, verifier: Verifier, day: date, tell: Callable[[int], object], in_order: set[str]) -> None:
        """`in_order` names the sound that was hashed before and is not hashed again; what is hashed now is added."""
        self._in_order = in_order
        self._verifier = verifier
        self._day = day
        self._tell = tell
        self._folder = verifier.root / folder_of(day)
        self._found = Verified()
        self._away_in_a_row = 0
        self._entries: dict[str, str] = {}
        self._known: set[str] = {CHAIN, HEAD, SIGNATURE}

    def verify(self) -> Verified:
        try:
            self._verify()
        except (LeavesTheVault, OSError) as error:
            self._say_unreadable(f"it cannot be looked at to the end: {error}")
        return self._found

    def _verify(self) -> None:
        self.verify_head()
        documents = dict(self._documents())
        owners = {document["stored"]["sha256"]: each for each, document in documents.items()}
        for found_id, document in documents.items():
            self._look_at_recording(found_id, document, owners)
        self._look_for_more(documents)

    def verify_head(self) -> Verified:
        """Follows the chain to its signed head alone."""
        try:
            kept = self._verifier.kept(self._day)  # before the chain, which may go on meanwhile
        except HeadUnreadable as error:
            kept = None
            self._say(CHAIN, What.UNREADABLE, str(error))
        lines = self._lines()
        signed = self._signed_end(lines or [])
        if lines is None:
            self._entries = self._orphans()
        else:
            self._follow(lines, signed)
        if kept is not None and (self._found.heads or not self._found.findings):
            self._look_back(lines or [], kept)
        return self._found

    def _say(self, file: str, what: What, said: str) -> None:
        self._found.findings.append(Finding(self._day, f"{folder_of(self._day)}/{file}", what, said))

    def _say_unreadable(self, said: str) -> None:
        self._found.findings.append(Finding(self._day, folder_of(self._day), What.UNREADABLE, said))

    # ---------------------------------------------------------------- the chain

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

    def _follow(self, lines: list[bytes], signed: tuple[int, str] | None) -> None:
        """Names each line that is not as it was signed, and takes the others at their word."""
        traced = trace(lines, signed)
        told = ((What.MISSING, traced.removed), (What.REWRITTEN, traced.changed), (What.ADDED, traced.added))
        for what, each in told:
            for said in each:
                self._say(CHAIN, what, said)
        if traced.first is not None:
            self._look_at_day_before(traced.first)
        self._entries = traced.files
        if traced.removed or traced.changed:
            self._entries |= self._orphans()

    def _orphans(self) -> dict[str, str]:
        """The manifests and certificates that this vault signed and that no line speaks of any more, with the hashes
        that they have now: they were not added, and what they speak of is held against them."""
        found = {}
        for path in sorted(self._folder.glob("*.json")):
            if path.name.startswith(".") or path.name.endswith(WAVEFORM) or path.name in self._entries:
                continue
            is_certificate = path.name.endswith(_CERTIFICATE)
            found_id = path.name.removesuffix(_CERTIFICATE if is_certificate else _MANIFEST)
            try:
                data = read_document(path)
                document = manifest.read(data, found_id, CERTIFICATE_FORMAT if is_certificate else MANIFEST_FORMAT)
            except (OSError, NoManifest):
                continue
            if manifest.is_signed(document, f"{folder_of(self._day)}/{path.name}", self._verifier.is_signed):
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
        lines = self._verifier.lines_of(day)
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
        if not self._verifier.is_signed(text, signature):
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
        ours = self._verifier.fingerprints
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
            return self._verifier.is_signed(text, signature) and (head["entries"], head["last"]) == (entries, last)
        except (OSError, *UNREADABLE_LINE):
            return False

    # ---------------------------------------------------------------- the files

    def _documents(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The manifests that stand in the chain and are as they were, by recording."""
        by_hash = {sha256: file for file, sha256 in self._entries.items()}
        for file, sha256 in self._entries.items():
            self._known.add(file)
            try:
                data = read_plain(self._folder / file)
            except FileNotFoundError:
                self._say(file, What.MISSING, "it stands in the chain, and is not there")
                self._claim(file)
                continue
            except OSError as error:
                self._say(file, What.UNREADABLE, f"it cannot be read: {error.strerror}")
                continue
            self._found.bytes += len(data)
            found = hashlib.sha256(data).hexdigest()
            if found != sha256:
                other = by_hash.get(found)
                if other is None:
                    self._say(file, What.EDITED, "it is not the file that stands in the chain")
                else:
                    self._say(file, What.SWAPPED, f"it holds what {other} should hold")
                self._claim(file)
                continue
            if file.endswith(_CERTIFICATE):
                self._found.destroyed += 1
                continue
            try:
                found_id = file.removesuffix(_MANIFEST)
                document = manifest.read(data, found_id)
                self._known.update(strays.named_by(document, found_id))
            except NoManifest as error:
                self._say(file, What.EDITED, f"it is no manifest: {error}")
                continue
            yield found_id, document

    def _claim(self, file: str) -> None:
        """What belongs to a manifest that cannot be believed is not told as added, too."""
        found_id = file.removesuffix(_MANIFEST)
        self._known.update(f"{found_id}{ending}" for ending in (*SOUND_ENDINGS, WAVEFORM))

    def _look_at_recording(self, found_id: str, document: Mapping[str, Any], owners: Mapping[str, str]) -> None:
        self._found.recordings += 1
        stored, peaks = document["stored"], document["waveform"]
        name = f"{folder_of(self._day)}/{stored['file']}"
        try:
            size_bytes = self._verifier.shelf.size_bytes(name)
            if self._is_destroyed(found_id):
                if size_bytes is not None:
                    self._say(stored["file"], What.ADDED, "its destruction was certified, and it is there")
                if os.path.lexists(self._folder / peaks["file"]):
                    self._say(peaks["file"], What.ADDED, "its destruction was certified, and it is there")
                return
            if size_bytes is None:
                begun = part_of(self._folder / f"{found_id}{_CERTIFICATE}").exists()
                what, said = What.MISSING, "the stored sound is not there, and no certificate says why"
                if begun:
                    what, said = What.UNFINISHED, "it was being destroyed, and that was interrupted"
                self._say(stored["file"], what, said)
            else:
                self._look_at_sound(found_id, stored, name, size_bytes, owners)
        except (ShelfAway, LeavesTheVault) as error:
            self._say(stored["file"], What.UNREADABLE, str(error))
            self._away_in_a_row += 1
            if self._away_in_a_row % AWAY_IN_A_ROW == 0:
                self._verifier.reach(self._day)
        else:
            self._away_in_a_row = 0
        self._look_at_waveform(peaks)

    def _is_destroyed(self, found_id: str) -> bool:
        file = f"{found_id}{_CERTIFICATE}"
        try:
            data = read_plain(self._folder / file)
            manifest.read(data, found_id, CERTIFICATE_FORMAT)
        except (OSError, NoManifest):
            return False
        return self._entries.get(file) == hashlib.sha256(data).hexdigest()

    def _look_at_sound(
        self, found_id: str, stored: Mapping[str, Any], name: str, size_bytes: int, owners: Mapping[str, str]
    ) -> None:
        self._found.bytes += size_bytes
        is_known = name in self._in_order
        found = stored["sha256"] if is_known else sha256_on(self._verifier.shelf, name, size_bytes, self._tell)
        if found != stored["sha256"]:
            owner = owners.get(found)
            if owner is not None and owner != found_id:
                self._say(stored["file"], What.SWAPPED, f"it holds the sound of {owner}")
            else:
                self._say(stored["file"], What.CHANGED, "it is not the sound that was sealed")
            return
        self._in_order.add(name)
        if stored["key"] is not None and stored["key"] not in self._verifier.key_names:
            self._say(stored["file"], What.LOCKED, f"its key {stored['key']} is not in the ring: nobody can hear it")

    def _look_at_waveform(self, peaks: Mapping[str, Any]) -> None:
        try:
            data = read_plain(self._folder / str(peaks["file"]))
        except FileNotFoundError:
            self._say(peaks["file"], What.MISSING, "the waveform is not there")
        except OSError as error:
            self._say(peaks["file"], What.UNREADABLE, f"it cannot be read: {error.strerror}")
        else:
            if hashlib.sha256(data).hexdigest() != peaks["sha256"]:
                self._say(peaks["file"], What.CHANGED, "it is not the waveform that was sealed")

    def _look_for_more(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        names: set[str] = set()
        try:
            names = {each.name.rpartition("/")[2] for each in self._verifier.shelf.lying(folder_of(self._day))}
        except (FolderUnreadable, LeavesTheVault) as error:
            self._say_unreadable(str(error))
            return
        chained = strays.Chained(frozenset(self._entries), documents)
        for name, said in strays.in_day(self._folder, names, self._known, chained):
            self._say(name, What.ADDED, said)
