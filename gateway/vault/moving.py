"""Moving sealed sound from the disk to the bucket, or back: what lies where is compared with what the settings say, day
by day, and the difference is moved.

    disk ──copy──> bucket, read back ──> deleted on the disk        (keep_in = "bucket")
    bucket ──copy──> disk, as its manifest says ──> deleted there   (keep_in = "disk")

Counterpart: `disk_and_bucket.py`, which finds it in either place meanwhile. At every moment a sound is whole in one of
them at least. Manifests, certificates, waveforms and chains stay on the disk and are copied too, so that the bucket
alone can be checked. A sound that is not the one of its manifest is not moved: it stays for whoever looks at it.
"""

import errno
import fcntl
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Set
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NoReturn

from gateway.defects import Defects
from gateway.settings import Settings
from gateway.vault.bucket import READ_BACK_BYTES, BucketShelf
from gateway.vault.certificates import Certificates
from gateway.vault.copies import Copies
from gateway.vault.disk_and_bucket import BucketInUse
from gateway.vault.folders import (
    FOR_US,
    LINKED,
    RAW_ENDINGS,
    days,
    folder_of,
    linked_days,
    refuse_without_space,
    without_ending,
    write_whole,
)
from gateway.vault.heads import Heads
from gateway.vault.keys import public_pems
from gateway.vault.plain_files import open_plain
from gateway.vault.rounds import Round
from gateway.vault.shelf import FileUnreadable, FolderUnreadable, LocalShelf, Lying, NotThere, ShelfAway

log = logging.getLogger(__name__)

ROUND_EVERY_S = 10.0
LEAST_PAUSE_S = 1.0
GIVES_UP_AFTER = 3
"""So many in a row that could not be moved end a round: then it is the bucket, or our disk has no room, and not the
file."""

_COMING = ".coming"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""What our own disk says of each file, and not of one alone."""
_OTHER = "it is not the one that its manifest speaks of"


class _Stays(Exception):
    """That one sound is not moved; the message says why, and what to do. The next one goes on."""


class _GivesUp(Exception):
    """The round ends here."""


class Mover:
    """Moves. Blocking; one process at a time."""

    def __init__(self, settings: Settings, bucket: BucketShelf | None = None) -> None:
        self._root = settings.paths.recordings.resolve()
        self._vault = settings.vault
        self._disk = LocalShelf(self._root)
        self._bucket = bucket or BucketShelf(settings.vault)
        self._certificates = Certificates(self._root, lambda: public_pems(settings.vault_dir))
        self._copies = Copies(self._root, self._disk, self._bucket, self._certificates)
        self._in_use = BucketInUse(settings)
        self._own = settings.vault_dir
        self._day_defects = Defects("bucket_day_broken")
        self._wake = threading.Event()
        self._failed_in_a_row = 0
        self._is_in_use = False

    @property
    def _reserve_bytes(self) -> int:
        """Which running calls have for their raw sound: where less is left nothing is sealed, either."""
        return self._vault.low_space_mb * 1_000_000 // 2

    @property
    def _is_coming_home(self) -> bool:
        return self._vault.keep_in == "disk"

    def run(self) -> NoReturn:
        """A round every 10 seconds, or when it is woken, for ever. The last one is for `Round.read`."""
        told, defects = None, Defects("bucket_round_broken")
        while True:
            try:
                came = self.round()
                if came.problem and came.problem != told:
                    log.warning("bucket_takes_nothing", extra={"reason": came.problem, "waiting": came.waiting})
                elif told and not came.problem:
                    log.info("bucket_takes_again", extra={"moved": came.moved})
                told = came.problem
            except BlockingIOError:
                log.info("bucket_round_left_to_another")
            except Exception as error:  # noqa: BLE001  # the next round begins anew
                defects.tell(error)
            self._wake.wait(ROUND_EVERY_S)
            self._wake.clear()
            time.sleep(LEAST_PAUSE_S)

    def wake(self) -> None:
        """There is something to move: the next round need not be waited for."""
        self._wake.set()

    def round(self, since: date = date.min) -> Round:
        """One round over all days from `since` on; those that are as they should be cost a look at the disk. Raises
        BlockingIOError where another process is at it, and OSError where `var/vault` cannot be written."""
        now = Round(datetime.now(UTC))
        self._failed_in_a_row = 0
        (self._own / "bucket").mkdir(parents=True, exist_ok=True)
        with (self._own / "bucket" / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                self._is_in_use = self._in_use.check(self._vault.place)
                there = list(days(self._root, since))
                for day in there:
                    try:
                        self._day(day, now)
                    except OSError as error:  # of our own disk: the other days go on, and it is told
                        now.stays(f"{folder_of(day)}: {error}")
                    except (ShelfAway, _GivesUp):
                        raise
                    except Exception as error:  # noqa: BLE001  # one day holds up no other
                        self._day_defects.tell(error)
                        now.stays(f"{folder_of(day)}: a defect, which is in the log: {error!r}")
                for day in linked_days(self._root, since):
                    now.stays(f"{folder_of(day)}: it is left out: {LINKED}")
                if self._is_coming_home and since == date.min:
                    self._tell_unseen(Heads(self._own).days() - set(there), now)
                    if not now.waiting and not now.problem:
                        self._in_use.forget()
            except ShelfAway as error:
                self._copies.forget()
                now.problem = now.problem or str(error)
            except _GivesUp:
                pass
            now.write(self._own)
        return now

    def _tell_unseen(self, unseen: Set[date], now: Round) -> None:
        """Of days that were signed here, and cannot be seen, the sound may lie in the bucket still."""
        if unseen:
            now.waiting += len(unseen)
            said = "it was signed here, and cannot be seen. Remedy: is the recordings' disk mounted, and whose is it?"
            now.problem = now.problem or f"{folder_of(min(unseen))}: {said}"

    def _day(self, day: date, now: Round) -> None:
        folder, state = folder_of(day), self._state(day)
        if self._mark(day) == state:
            return
        try:
            here = list(self._disk.lying(folder))
        except FolderUnreadable as error:  # the other days go on
            now.stays(str(error))
            return
        for begun in (self._root / folder).glob(f".*{_COMING}"):
            begun.unlink(missing_ok=True)  # by a round that was cut off
        self._copies.clear_destroyed(folder)
        if self._is_coming_home:
            to_move = list(self._bucket.lying(folder))
        else:
            to_move = [each for each in here if self._is_sealed(each)]
        for number, each in enumerate(to_move, start=1):
            try:
                self._try(each, now)
            except _GivesUp:
                now.waiting += len(to_move) - number
                raise
        if not self._is_coming_home:
            try:
                self._copies.copy(folder)
            except FileUnreadable as error:  # it keeps no other file and no other day
                now.stays(str(error))
                return
        if not to_move:
            write_whole(self._mark_file(day), json.dumps(state).encode())
            self._copies.forget(folder)

    def _try(self, each: Lying, now: Round) -> None:
        try:
            moved = self._come_home(each) if self._is_coming_home else self._go(each)
        except _Stays as error:
            now.stays(f"{each.name}: {error}")
            return
        except (OSError, ShelfAway) as error:
            now.stays(f"{each.name}: {error}")
            if isinstance(error, OSError) and error.errno not in _NO_ROOM:
                return  # of our own disk, and that file's alone
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= GIVES_UP_AFTER:
                raise _GivesUp from error
            return
        self._failed_in_a_row = 0
        now.moved += moved
        now.moved_bytes += each.bytes * moved

    def _go(self, each: Lying) -> bool:
        stored = self._stored(each.name)
        if stored is None or self._certificates.have_begun(each.name):
            return False  # since it was looked at
        self._refuse_forbidden(each)  # it could not be deleted here afterwards, and would be sent anew each time
        if self._sha256_here(each.name) != stored["sha256"]:
            raise _Stays(f"{_OTHER}, and stays on the disk. Remedy: `gateway112 vault verify`")
        if not self._is_in_use:
            self._bucket.look()  # one that was misspelt is never remembered
            self._in_use.remember(self._vault.place)
            self._is_in_use = True
        self._bucket.copy(each.name, self._root / each.name, self._root)
        self._copies.copied(each.name, each.bytes)
        if self._certificates.have_begun(each.name):
            self._bucket.delete(each.name)  # it was destroyed while it was on its way
            return False
        self._disk.delete(each.name)
        return True

    def _come_home(self, each: Lying) -> bool:
        if self._is_gone(each.name):
            return False
        stored = self._stored(each.name)
        if stored is None:
            raise _Stays("no manifest here speaks of it; it stays in the bucket. Remedy: `gateway112 vault verify`")
        if self._sha256_here(each.name) != stored["sha256"]:
            self._fetch(each, stored)
        if self._is_gone(each.name):
            self._disk.delete(each.name)  # it was destroyed while it was on its way
        self._bucket.delete(each.name)
        return True

    def _is_gone(self, name: str) -> bool:
        """Whether it was destroyed since it was looked at. What was begun may have been stopped by a hold: as long as
        the bucket has it, it comes home; whoever destroys it looks at the disk again after the bucket."""
        return self._certificates.have_begun(name) and self._bucket.size_bytes(name) is None

    def _refuse_forbidden(self, each: Lying) -> None:
        folder = each.name.rpartition("/")[0]
        if not os.access(self._root / folder, os.W_OK | os.X_OK):
            raise _Stays(f"{folder} may not be written to by this user. Remedy: give it back to the gateway's user")

    def _fetch(self, each: Lying, stored: dict[str, Any]) -> None:
        self._refuse_forbidden(each)
        path = self._root / each.name
        refuse_without_space(path.parent, each.bytes + self._reserve_bytes)
        part, digest = path.with_name(f".{path.name}{_COMING}"), hashlib.sha256()
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, FOR_US), "wb") as file:
                for start in range(0, each.bytes, READ_BACK_BYTES):
                    piece = self._bucket.fetch(each.name, start, min(start + READ_BACK_BYTES, each.bytes))
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            if digest.hexdigest() != stored["sha256"]:
                raise _Stays(f"{_OTHER}, and stays in the bucket. Remedy: `gateway112 vault verify`")
            self._disk.put(each.name, part)
        except NotThere as error:
            raise ShelfAway(str(error)) from error
        finally:
            part.unlink(missing_ok=True)
        if self._sha256_here(each.name) != stored["sha256"]:
            raise ShelfAway("it does not read back from the disk as it was written")

    def _is_sealed(self, each: Lying) -> bool:
        """Whether its seal is finished, its raw sound discarded, and it is not being destroyed. As long as there is raw
        sound it stays, so that no bucket is waited for where the two are compared."""
        stem = self._root / without_ending(each.name)
        has_raw = any(stem.with_name(f"{stem.name}{ending}").exists() for ending in RAW_ENDINGS)
        return not has_raw and self._stored(each.name) is not None and not self._certificates.have_begun(each.name)

    def _stored(self, name: str) -> dict[str, Any] | None:
        """What the manifest says of the stored sound; None where none that can be believed speaks of it: by any other
        whoever may write here could have the one good sound written over, or deleted."""
        try:
            stored: dict[str, Any] = (self._certificates.manifest(name) or {})["stored"]
            is_its = stored["file"] == name.rpartition("/")[2] and isinstance(stored["sha256"], str)
        except (KeyError, TypeError):
            return None
        return stored if is_its else None

    def _sha256_here(self, name: str) -> str | None:
        try:
            with os.fdopen(open_plain(self._root / name), "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None

    def _state(self, day: date) -> dict[str, Any]:
        """What changes whenever something of the day does: in its folder, in its chain, or in the settings."""
        folder = folder_of(day)
        return {
            "bucket": self._vault.place,
            "kept_in": self._vault.keep_in,
            "folder": (self._root / folder).stat().st_mtime_ns,
            "chain": list(self._copies.chain(folder) or ()),
        }

    def _mark_file(self, day: date) -> Path:
        return self._own / "bucket" / f"{day.isoformat()}.json"

    def _mark(self, day: date) -> object:
        """How the day was when all of it was where it belongs."""
        try:
            return json.loads(self._mark_file(day).read_bytes())
        except (OSError, ValueError):
            return None


def start(settings: Settings) -> Mover:
    """A mover at work in a thread of its own, so that no seal waits for a bucket."""
    mover = Mover(settings)
    threading.Thread(target=mover.run, name="moving", daemon=True).start()
    return mover
