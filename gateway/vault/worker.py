"""The vault's worker: a process of its own and of the lowest priority, which alone writes to the vault. One job at a
time, as `messages.py` says; it ends when its standard input does, whatever it is at, for all of it can be asked again.

Counterpart: `worker_link.py` starts it and asks; `python -m gateway.vault.worker` is not for people.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import logging
import os
import platform
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway import __version__, logs, memory
from gateway.domain.recordings import Recording
from gateway.ports import Part, Unsealable
from gateway.settings import Settings
from gateway.vault import messages, nightly
from gateway.vault.certificates import Certificates
from gateway.vault.chain import CHAIN, Chains
from gateway.vault.destruction import Destroyer
from gateway.vault.folders import folder_of, is_gone
from gateway.vault.heads import Heads
from gateway.vault.keys import KeyMissing, KeyRing, SigningKey, public_pems
from gateway.vault.listing import clear_parts, lying_files
from gateway.vault.sealing import Sealer
from gateway.vault.shelf import Shelf, ShelfAway, shelf_for

log = logging.getLogger(__name__)

LOCK = ".vault-worker"
LOCK_WAIT_S = 10.0
ALIVE_EVERY_S = 1.0
ANOTHER_WORKS = 3
"""The exit status where another worker holds the vault."""

_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_IOPRIO_WHO_PROCESS, _IOPRIO_IDLE = 1, 3 << 13

_saying = threading.Lock()
"""One line at a time, whichever thread says it."""


class AnotherWorks(Exception):
    """Another worker holds this vault."""


class Work:
    """The jobs, by their names. Each takes what was asked and returns what is told as `done`."""

    def __init__(
        self,
        settings: Settings,
        shelf: Shelf,
        clock: Callable[[], datetime],
        *,
        tell: Callable[[str], object],
        tell_more: Callable[[list[Any]], object],
    ) -> None:
        self._root = settings.paths.recordings.resolve()
        self._shelf = shelf
        self._tell_more = tell_more
        self._certificates = Certificates(self._root, lambda: public_pems(settings.vault_dir))
        self._heads = Heads(settings.vault_dir)
        key = SigningKey(settings.vault_dir)
        chains = Chains(self._root, key)
        ring = KeyRing(settings.vault_dir) if settings.vault.encrypt else None
        self._sealer = Sealer(self._root, shelf=shelf, chains=chains, key=key, ring=ring, clock=clock, tell=tell)
        self._destroyer = Destroyer(self._sealer, shelf=shelf, chains=chains, clock=clock, tell=tell)

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What is told about the job: `done`, `unsealable` or `away`."""
        call_id = (asked.get("recording") or {}).get("call_id")
        with logs.about(call_id):
            return self._answer(asked)

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"done": self._do(asked)}
        except Unsealable as error:
            return {"unsealable": str(error), "is_lost": error.is_lost}
        except KeyMissing as error:
            return {"away": str(error)}
        except ShelfAway as error:
            return self._refused(asked, str(error), error.__cause__)
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return {"away": f"no space is left in the recordings' folder{where}"}
            return self._refused(asked, f"the disk refuses: {error.strerror or error}{where}", error)
        except Exception as error:
            log.exception("vault_job_broken", extra={"job": asked.get("job")})
            return {"away": f"a defect of the vault's worker, which is in its log: {error!r}"}

    def _refused(self, asked: Mapping[str, Any], said: str, cause: BaseException | None) -> dict[str, Any]:
        """What is told of what the disk refuses. A recording in a folder of another user's waits for its next try, as
        one whose sound cannot be read does: the oldest come first, and newer ones are to be sealed meanwhile."""
        is_hindered = _is_forbidden(cause)
        if is_hindered and asked["job"] == "seal" and self._is_of_recordings(cause):
            return {"unsealable": said, "is_lost": False}
        return {"away": said, "is_hindered": is_hindered}

    def _is_of_recordings(self, cause: BaseException | None) -> bool:
        """Whether it is about what lies in the recordings' folder, and not a key or what was signed last."""
        name = getattr(cause, "filename", None)
        return name is not None and Path(name).is_relative_to(self._root)

    def _refuse_vanished(self, since: datetime, until: datetime) -> None:
        """Raises Unsealable where a whole day, or its chain, is not there, of which something was signed here. It is a
        disk that is not mounted, more often than not, on whose empty place a call may be recorded by now: to tell each
        of its recordings to be lost would be thousands of untrue words. What is gone the night's look says."""
        day, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
        while day <= last:
            if self._heads.file(day).exists() and is_gone(self._root / folder_of(day) / CHAIN):
                raise Unsealable(
                    f"{folder_of(day)}/{CHAIN} is not there, and was signed here. Remedy: is the recordings' disk "
                    f"mounted? Else put the day back from the backup"
                )
            day += timedelta(days=1)

    def _discard(self, recordings: list[Recording]) -> dict[str, dict[str, Any]]:
        refused: dict[str, dict[str, Any]] = {}
        for each in recordings:
            try:
                self._sealer.discard_raw(each)
            except Unsealable as error:
                refused[each.id] = {"reason": str(error), "is_sealed": error.is_sealed}
        return refused

    def _do(self, asked: dict[str, Any]) -> Any:
        match asked["job"]:
            case "seal":
                return messages.of_sealed(self._sealer.seal(_recording(asked)))
            case "discard_raw":
                return self._discard([messages.recording(each) for each in asked["recordings"]])
            case "destroy":
                at = datetime.fromisoformat(asked["at"])
                return asdict(self._destroyer.destroy(_recording(asked), asked["rule"], at))
            case "fate":
                return self._destroyer.fate(_recording(asked)).value
            case "files":
                since, until = (datetime.fromisoformat(asked[each]) for each in ("since", "until"))
                if not asked["are_seen"]:
                    self._refuse_vanished(since, until)
                if cleared := clear_parts(self._root, since, until):
                    log.info("vault_parts_cleared", extra={"count": cleared})
                files = []
                lying = lying_files(
                    self._root,
                    self._shelf,
                    self._certificates,
                    since,
                    until,
                    Part(**asked["part"]),
                    are_seen=asked["are_seen"],
                )
                for each in lying:
                    files.append(messages.of_file(each))
                    if len(files) == messages.MOST_FILES:
                        self._tell_more(files)
                        files = []
                return files
            case other:
                raise Unsealable(f"there is no job {other}")


def _is_forbidden(error: BaseException | None) -> bool:
    """Whether it is about one file or folder that is another user's, as where root has put a day back."""
    return isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM)


def _recording(asked: dict[str, Any]) -> Recording:
    return messages.recording(asked["recording"])


def hold(root: Path, wait_s: float = LOCK_WAIT_S) -> int:
    """Holds the vault as long as this process lives; returns the open file that does. Raises AnotherWorks where another
    one does not let go."""
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(descriptor)
                raise AnotherWorks(
                    f"another worker holds the vault in {root}. Remedy: end the gateway that it belongs to, or set "
                    f"paths.recordings: two centres need two folders."
                ) from None
            time.sleep(0.05)


def step_back() -> None:
    """Leaves the processor and the disk to whoever else wants them: this thread, and what it begins."""
    os.nice(19)
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if (number := _IOPRIO_SET.get(platform.machine())) is not None:
        ctypes.CDLL(None, use_errno=True).syscall(number, _IOPRIO_WHO_PROCESS, 0, _IOPRIO_IDLE)


def main() -> int:
    logs.set_up()
    lines = iter(sys.stdin.buffer.readline, b"")
    settings = Settings.model_validate(json.loads(next(lines, b"{}")).get("settings", {}))
    logs.set_up(settings.logs.form, settings.logs.level)
    is_ready = threading.Event()

    def be_there() -> None:
        is_ready.wait()
        while True:
            _say(messages.HERE)
            time.sleep(ALIVE_EVERY_S)

    # of the priority that it was begun with, or a busy machine would have it killed as one that hangs
    threading.Thread(target=be_there, name="being there", daemon=True).start()
    step_back()
    memory.keep_small()  # its thread is behind everybody else, too
    try:
        hold(settings.paths.recordings)
    except AnotherWorks as error:
        _say({"refused": str(error)})
        return ANOTHER_WORKS
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        # the gateway asks one thing at a time, so at most one line waits here
        for line in lines:
            waiting.put(line)
        os._exit(0)  # it is gone: what runs is asked for again by the next one

    told_at, running = 0.0, 0

    def tell(step: str) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= ALIVE_EVERY_S:
            told_at = time.monotonic()
            _say({"id": running, "at": step})

    work = Work(
        settings,
        shelf_for(settings),
        lambda: datetime.now(UTC),
        tell=tell,
        tell_more=lambda more: _say({"id": running, "more": more}),
    )
    threading.Thread(target=listen, daemon=True).start()
    done = _nothing_more
    if settings.vault.bucket:
        from gateway.vault import moving  # its library is for those who have a bucket

        done = moving.start(settings).wake
    if settings.vault.verifies:
        nightly.start(settings)
    _say({"ready": {"pid": os.getpid(), "version": __version__}})
    is_ready.set()
    while True:
        asked = json.loads(waiting.get())
        running, told_at = asked["id"], time.monotonic()
        _say({"id": running, **work.answer(asked)})
        done()


def _nothing_more() -> None:
    """Where nothing is moved."""


def _say(told: Mapping[str, Any]) -> None:
    with _saying:
        sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
