"""The logbook: what was done at the machine itself, and not asked of the API, stands in the audit log all the same. A
backup takes every recording out of the house, a restore brings the past back.

Counterparts: `gateway112 backup` and `gateway112 restore` leave word in `var/logbook`, whether a gateway runs or not;
the one that runs, or the next one, takes it into the audit log. Word is removed once it is stored: killed in between,
the same stands there twice.
"""

import asyncio
import json
import logging
import os
import pwd
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from gateway.defects import Defects
from gateway.domain.audit import Actor, Deed
from gateway.domain.change import Change
from gateway.ports import StoreAway
from gateway.saving import Saving

log = logging.getLogger(__name__)

FOLDER = "logbook"
LOOK_EVERY_S = 3.0
AT_ONCE = 100
"""Words that one look takes in."""
LONGEST_BYTES = 20_000
LEFT, TAKEN, REFUSED = ".json", ".taken", ".refused"


class Step(StrEnum):
    """What became of a backup. Nothing else is taken from here: nobody logs in the name of the API."""

    BEGUN = "begun"
    MADE = "made"
    RESTORED = "restored"


def leave_word(var: Path, at: datetime, step: Step, note: str, data: Mapping[str, object]) -> None:
    """Leaves word of what this user does to the centre whose run-time state lies in `var`. Blocking: disk. Raises
    OSError."""
    folder = var / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    told = {"at": at.isoformat(), "who": _user(), "step": step, "note": note, "data": dict(data)}
    path = folder / f"{at:%Y%m%dT%H%M%S.%f}-{os.getpid()}-{step}.part"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
        json.dump(told, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    path.replace(path.with_suffix(LEFT))


class Logbook:
    """The words that were left in `var`."""

    def __init__(self, var: Path, saving: Saving) -> None:
        self._folder = var / FOLDER
        self._saving = saving
        self._trouble = ""
        self._unread: set[str] = set()
        """What could not be read, and was told."""
        self._defects = Defects("logbook_broken")

    async def run(self) -> None:
        """Takes in what is left, for ever."""
        while True:
            trouble = ""
            try:
                await self.look()
            except (StoreAway, OSError) as error:
                trouble = str(error)
            except Exception as error:  # noqa: BLE001  # a defect here must not end the history of calls
                self._defects.tell(error)
            if trouble and trouble != self._trouble:
                log.warning("logbook_waits", extra={"reason": trouble})
            self._trouble = trouble
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> int:
        """Takes in what is left, the oldest first. Returns how many. Raises StoreAway, OSError."""
        found = await asyncio.to_thread(self._taken)
        if found:
            await self._saving.save(Change(deeds=tuple(deed for _, deed in found)))
            await asyncio.to_thread(_remove, [path for path, _ in found])
        return len(found)

    def _taken(self) -> list[tuple[Path, Deed]]:
        """What is to be stored. It is renamed first: what cannot be removed must not be stored again and again. What is
        no word of ours is set aside. Blocking: disk."""
        found: list[tuple[Path, Deed]] = []
        for path in sorted(each for each in _listed(self._folder) if each.suffix in (LEFT, TAKEN)):
            if len(found) == AT_ONCE:
                break
            try:
                taken = path.replace(path.with_suffix(TAKEN))
                found.append((taken, _deed(_read(taken))))
            except OSError as error:  # another user's, or a link: it stays, and keeps no other word waiting
                self._tell_unread(path, error)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                log.warning("logbook_word_refused", extra={"file": path.name, "reason": repr(error)})
                taken.replace(taken.with_suffix(REFUSED))
        return found

    def _tell_unread(self, path: Path, error: OSError) -> None:
        if path.stem not in self._unread:
            self._unread.add(path.stem)
            log.warning("logbook_word_unreadable", extra={"file": path.name, "reason": str(error)})


def _listed(folder: Path) -> list[Path]:
    """What lies there; nothing where there is no such folder. Raises OSError where it cannot be read."""
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _read(path: Path) -> bytes:
    """Of what is too long, nothing. Raises OSError, for a link too."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        raw = file.read(LONGEST_BYTES + 1)
    return raw if len(raw) <= LONGEST_BYTES else b""


def _deed(raw: bytes) -> Deed:
    """Raises ValueError, KeyError, TypeError or AttributeError for what is no word of ours."""
    told = json.loads(raw)
    at, what, note = datetime.fromisoformat(told["at"]), Step(told["step"]), str(told["note"])
    if at.tzinfo is None:
        raise ValueError("its time has no zone")
    data = {str(name): value for name, value in told["data"].items()}
    actor = Actor(str(told["who"]), "machine")
    return Deed(at, actor, f"backup.{what}", subject="backup", data={**data, "note": note}, note=note, became=data)


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _user() -> str:
    """Who this is on this machine, and behind sudo."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"user {os.getuid()}"
    behind = os.environ.get("SUDO_USER", "")
    return f"{name} ({behind})" if behind and behind != name else name
