"""Whether the vault is as it was left: each chain followed, each signature checked, each file hashed. It needs no
gateway, no database and no private key, and changes nothing.

Counterparts: `following.py` says which line of a chain can be believed; `sealing.py`, `destruction.py` and `chain.py`
wrote what is checked here; `gateway112 vault verify` tells.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from gateway.vault import manifest, strays
from gateway.vault.chain import CHAIN, HEAD, SIGNATURE
from gateway.vault.findings import Finding, Verified, What
from gateway.vault.folders import CERTIFICATE, MANIFEST, LeavesTheVault, days, folder_of, part_of
from gateway.vault.following import DayChain, Trust
from gateway.vault.heads import Heads
from gateway.vault.manifest import CERTIFICATE_FORMAT, NoManifest
from gateway.vault.plain_files import read_plain
from gateway.vault.sealing import sha256_on
from gateway.vault.shelf import SOUND_ENDINGS, WAVEFORM, FolderUnreadable, Shelf, ShelfAway

LOOK_AGAIN_S, LOOKS = 0.5, 8
"""What is found while the worker writes may be its half-done step: only what is found so often, that long apart, is."""
AWAY_IN_A_ROW = 3
"""After so many files that a shelf does not give, one after the other, it is asked whether it answers at all."""


class Verifier:
    """Looks at the vault. `public_pems` are the keys that may have signed it, `key_names` tells those of the ring,
    which may be turned meanwhile; neither has to be there."""

    def __init__(
        self,
        root: Path,
        shelf: Shelf,
        public_pems: Sequence[bytes],
        key_names: Callable[[], frozenset[str]],
        *,
        heads: Heads | None = None,
        is_written_to: Callable[[], bool] = lambda: False,
    ) -> None:
        self._trust = Trust(root, public_pems, heads)
        self._root = self._trust.root
        self._shelf = shelf
        self._key_names, self._known_keys = key_names, frozenset[str]()
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
        everything = Verified(tells_rollbacks=self._trust.heads is not None)
        for found in (*(self.look_at(day, tell) for day in self.days(since)), self.look_beside()):
            everything.recordings += found.recordings
            everything.destroyed += found.destroyed
            everything.bytes += found.bytes
            everything.heads += found.heads
            everything.findings += found.findings
        return everything

    def days(self, since: date = date.min) -> list[date]:
        """The days that have a folder or were signed here, oldest first."""
        signed = self._trust.heads.days() if self._trust.heads is not None else set()
        return sorted({*days(self._root, since), *(each for each in signed if each >= since)})

    def heads(self, days: Sequence[date]) -> list[Finding]:
        """What is wrong with the chains of these days and their signed heads, and which of the days are gone. No other
        file is read, and none twice: what the worker is at just then is told, too."""
        found: list[Finding] = []
        for day in days:
            gone = self._gone(day)
            if gone is not None:
                found.append(gone)
            else:
                DayChain(self._trust, day, of_day := Verified()).follow()
                found += of_day.findings
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

    @property
    def trust(self) -> Trust:
        return self._trust

    @property
    def shelf(self) -> Shelf:
        return self._shelf

    def has_key(self, name: str) -> bool:
        """Whether it is in the ring, which may be turned while all this is looked at."""
        if name not in self._known_keys:
            self._known_keys = self._key_names()
        return name in self._known_keys


class _Day:
    """One day's folder while it is looked at."""

    def __init__(self, verifier: Verifier, day: date, tell: Callable[[int], object], in_order: set[str]) -> None:
        """`in_order` names the sound that was hashed before and is not hashed again; what is hashed now is added."""
        self._in_order = in_order
        self._verifier = verifier
        self._day = day
        self._tell = tell
        self._folder = verifier.trust.root / folder_of(day)
        self._found = Verified()
        self._away_in_a_row = 0
        self._chain = DayChain(verifier.trust, day, self._found)
        self._known: set[str] = {CHAIN, HEAD, SIGNATURE}
        # of each recording no more is kept than the end needs: nobody knows how many callers a day had
        self._raws: dict[str, strays.Raw] = {}
        self._owners: dict[str, str] = {}
        """By the hash of the stored sound."""
        self._others: list[tuple[str, str, str]] = []
        """Stored sound that is not what was sealed: the recording, the file, and the hash that it has."""

    def verify(self) -> Verified:
        try:
            self._verify()
        except (LeavesTheVault, OSError) as error:
            self._say_unreadable(f"it cannot be looked at to the end: {error}")
        self._tell_of_others()
        return self._found

    def _verify(self) -> None:
        self._chain.follow()
        for found_id, document in self._documents():
            self._raws[found_id] = strays.Raw.of(document)
            self._owners[document["stored"]["sha256"]] = found_id
            self._look_at_recording(found_id, document)
        self._look_for_more()

    def _say(self, file: str, what: What, said: str) -> None:
        self._found.findings.append(Finding(self._day, f"{folder_of(self._day)}/{file}", what, said))

    def _say_unreadable(self, said: str) -> None:
        self._found.findings.append(Finding(self._day, folder_of(self._day), What.UNREADABLE, said))

    def _documents(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The manifests that stand in the chain and are as they were, by recording."""
        by_hash = {sha256: file for file, sha256 in self._chain.files.items()}
        for file, sha256 in self._chain.files.items():
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
            if file.endswith(CERTIFICATE):
                self._found.destroyed += 1
                continue
            try:
                found_id = file.removesuffix(MANIFEST)
                document = manifest.read(data, found_id)
                self._known.update(strays.named_by(document, found_id))
            except NoManifest as error:
                self._say(file, What.EDITED, f"it is no manifest: {error}")
                continue
            yield found_id, document

    def _claim(self, file: str) -> None:
        """What belongs to a manifest that cannot be believed is not told as added, too."""
        found_id = file.removesuffix(MANIFEST)
        self._known.update(f"{found_id}{ending}" for ending in (*SOUND_ENDINGS, WAVEFORM))

    def _look_at_recording(self, found_id: str, document: Mapping[str, Any]) -> None:
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
                begun = part_of(self._folder / f"{found_id}{CERTIFICATE}").exists()
                what, said = What.MISSING, "the stored sound is not there, and no certificate says why"
                if begun:
                    what, said = What.UNFINISHED, "it was being destroyed, and that was interrupted"
                self._say(stored["file"], what, said)
            else:
                self._look_at_sound(found_id, stored, name, size_bytes)
        except (ShelfAway, LeavesTheVault) as error:
            self._say(stored["file"], What.UNREADABLE, str(error))
            self._away_in_a_row += 1
            if self._away_in_a_row % AWAY_IN_A_ROW == 0:
                self._verifier.reach(self._day)
        else:
            self._away_in_a_row = 0
        self._look_at_waveform(peaks)

    def _is_destroyed(self, found_id: str) -> bool:
        file = f"{found_id}{CERTIFICATE}"
        try:
            data = read_plain(self._folder / file)
            manifest.read(data, found_id, CERTIFICATE_FORMAT)
        except (OSError, NoManifest):
            return False
        return self._chain.files.get(file) == hashlib.sha256(data).hexdigest()

    def _look_at_sound(self, found_id: str, stored: Mapping[str, Any], name: str, size_bytes: int) -> None:
        self._found.bytes += size_bytes
        is_known = name in self._in_order
        found = stored["sha256"] if is_known else sha256_on(self._verifier.shelf, name, size_bytes, self._tell)
        if found != stored["sha256"]:
            self._others.append((found_id, stored["file"], found))
            return
        self._in_order.add(name)
        if stored["key"] is not None and not self._verifier.has_key(stored["key"]):
            self._say(stored["file"], What.LOCKED, f"its key {stored['key']} is not in the ring: nobody can hear it")

    def _tell_of_others(self) -> None:
        """Tells what stored sound was changed, and what is another recording's: of the whole day that is known now."""
        for found_id, file, found in self._others:
            owner = self._owners.get(found)
            if owner is not None and owner != found_id:
                self._say(file, What.SWAPPED, f"it holds the sound of {owner}")
            else:
                self._say(file, What.CHANGED, "it is not the sound that was sealed")

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

    def _look_for_more(self) -> None:
        names: set[str] = set()
        try:
            names = {each.name.rpartition("/")[2] for each in self._verifier.shelf.lying(folder_of(self._day))}
        except (FolderUnreadable, LeavesTheVault) as error:
            self._say_unreadable(str(error))
            return
        chained = strays.Chained(self._chain.files.keys(), self._raws)
        for name, said in strays.in_day(self._folder, names, self._known, chained):
            self._say(name, What.ADDED, said)
