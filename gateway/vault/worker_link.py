"""The gateway's end of the vault's worker: keeps the process running, and asks it one thing at a time.

Counterparts: `ports.Vault`, which this fulfils; `worker.py`, the process; `messages.py`, what they say.
"""

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from gateway.domain.recordings import Recording
from gateway.ports import ALL, Destroyed, Fate, LyingFile, Part, Sealed, Unsealable, VaultAway, VaultDown, VaultHindered
from gateway.settings import Settings
from gateway.vault import messages

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "gateway.vault.worker")
START_LIMIT_S = 30.0
"""From its start to its first word; it may wait for the one before to let go."""
LOOK_EVERY_S = 1.0
QUIET_S, HUNG_S = 10.0, 120.0
"""A worker says each second that it is there. After so long without a word it is told like one that has died; after so
long it is killed and started anew: not sooner, for of the lowest priority it stands still where calls want the whole
machine. Both are counted in looks: a gateway that stood still itself missed these, too."""
QUIET_AT_JOB_S = 60.0
SILENCE_LIMIT_S = 300.0
"""Of one job it says each second, or as soon as the disk or the bucket lets it, how far it is: without that it is told,
too, and after this it is killed."""
RESTART_PAUSE_S = 1.0
LONGEST_RESTART_PAUSE_S = 60.0
STEADY_AFTER_S = 60.0
STOP_LIMIT_S = 5.0
ANSWERS_AT_MOST = 16
"""How much of an answer waits to be taken: the worker waits with more."""


class VaultWorker:
    """The worker, as the services see it. `run` keeps it alive; without that all of it raises VaultAway."""

    def __init__(
        self, settings: Settings, *, silence_limit_s: float = SILENCE_LIMIT_S, command: Sequence[str] = COMMAND
    ) -> None:
        self._settings = settings
        self._silence_limit_s = silence_limit_s
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._turn = asyncio.Lock()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=ANSWERS_AT_MOST)
        self._asked = 0
        self._awaited: int | None = None
        self._problem = "it has not been started yet"
        self._quiet_s = 0.0
        """How long it has not said a word."""
        self._quiet_at_job_s = 0.0
        """How long it has not said how far it is with what it was asked."""

    @property
    def problem(self) -> str | None:
        """Why the worker does not run, or does not answer; None while it does."""
        if not self._ready.is_set():
            return self._problem
        if self._quiet_s >= QUIET_S:
            return f"it hangs: not a word for more than {QUIET_S:.0f} s. After {HUNG_S:.0f} s it is started anew"
        if self._quiet_at_job_s >= QUIET_AT_JOB_S:
            until = f"After {self._silence_limit_s:.0f} s it is started anew"
            return f"it is stuck in one job for more than {QUIET_AT_JOB_S:.0f} s. {until}"
        return None

    @property
    def pid(self) -> int | None:
        """The worker's process, while it runs."""
        return self._process.pid if self._process is not None and self._ready.is_set() else None

    async def run(self) -> None:
        """Keeps the worker running until it is cancelled; then the worker ends, too."""
        pause_s = RESTART_PAUSE_S
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._live()
            except OSError as error:
                self._problem = f"it cannot be started: {error.strerror}"
            pause_s = RESTART_PAUSE_S if loop.time() - began > STEADY_AFTER_S else pause_s
            log.warning("vault_worker_ended", extra={"reason": self._problem, "pause_s": pause_s})
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_RESTART_PAUSE_S)

    async def seal(self, recording: Recording) -> Sealed:
        return messages.sealed(await self._ask("seal", recording=messages.of_recording(recording)))

    async def discard_raw(self, recordings: Sequence[Recording]) -> Mapping[str, Unsealable]:
        refused: dict[str, Unsealable] = {}
        for start in range(0, len(recordings), messages.MOST_RECORDINGS):
            part = recordings[start : start + messages.MOST_RECORDINGS]
            told = await self._ask("discard_raw", recordings=[messages.of_recording(each) for each in part])
            refused |= {key: Unsealable(each["reason"], is_sealed=each["is_sealed"]) for key, each in told.items()}
        return refused

    async def destroy(self, recording: Recording, rule: str, at: datetime) -> Destroyed:
        asked = {"recording": messages.of_recording(recording), "rule": rule, "at": at.isoformat()}
        return Destroyed(**await self._ask("destroy", **asked))

    async def fate(self, recording: Recording) -> Fate:
        return Fate(await self._ask("fate", recording=messages.of_recording(recording)))

    async def files(
        self, since: datetime, until: datetime, part: Part = ALL, *, are_seen: bool = False
    ) -> list[LyingFile]:
        told = await self._ask(
            "files", since=since.isoformat(), until=until.isoformat(), part=asdict(part), are_seen=are_seen
        )
        return [messages.file(each) for each in told]

    async def _ask(self, job: str, **what: Any) -> Any:
        """What the worker tells as done. Raises VaultAway and Unsealable."""
        async with self._turn:
            if not self._ready.is_set():
                try:
                    async with asyncio.timeout(START_LIMIT_S):
                        await self._ready.wait()
                except TimeoutError:
                    raise VaultDown(f"the vault's worker does not run: {self._problem}") from None
            process = self._process
            if process is None or process.stdin is None:
                raise VaultDown(f"the vault's worker does not run: {self._problem}")
            self._asked += 1
            asked = self._awaited = self._asked
            self._quiet_at_job_s = 0.0
            try:
                process.stdin.write(json.dumps({"id": asked, "job": job, **what}).encode() + b"\n")
                async with asyncio.timeout(self._silence_limit_s):
                    await process.stdin.drain()
                answer = await self._answer(asked)
            except TimeoutError:
                self._kill(process)
                raise VaultAway(f"the vault's worker said nothing for {self._silence_limit_s:.0f} s") from None
            except (ConnectionError, RuntimeError) as error:
                raise VaultAway(f"the vault's worker ended: {self._problem}") from error
            finally:
                self._awaited, self._quiet_at_job_s = None, 0.0
                while not self._answers.empty():
                    self._answers.get_nowait()
        if "done" in answer:
            return answer["done"]
        if "unsealable" in answer:
            raise Unsealable(answer["unsealable"], is_lost=bool(answer.get("is_lost")))
        away = str(answer.get("away", "the vault's worker answered something else"))
        raise VaultHindered(away) if answer.get("is_hindered") else VaultAway(away)

    async def _answer(self, asked: int) -> dict[str, Any]:
        """The answer to that question, all pieces of it. Raises TimeoutError when the worker has been silent for too
        long, VaultAway when it ended."""
        before: list[Any] = []
        while True:
            async with asyncio.timeout(self._silence_limit_s):
                told = await self._answers.get()
            if "ended" in told:
                raise VaultAway(f"the vault's worker ended: {told['ended']}")
            if told.get("id") != asked or "at" in told:
                continue
            if "more" not in told:
                return {**told, "done": before + told["done"]} if before else told
            before += told["more"]

    async def _live(self) -> None:
        """One worker's life."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=messages.MOST_LINE_BYTES,
            start_new_session=True,  # Ctrl-C is the gateway's alone, and ends the worker by its standard input
        )
        self._process = process
        self._answers = asyncio.Queue(maxsize=ANSWERS_AT_MOST)
        watching = None
        try:
            await self._greet(process)
            watching = asyncio.create_task(self._watch(process))
            await self._listen(process)
        except TimeoutError:
            self._problem = f"it did not begin within {START_LIMIT_S:.0f} s"
        except ConnectionError as error:
            self._problem = f"it ended: {error}"
        except ValueError as error:
            self._problem = f"what it says cannot be read: {error}"
        finally:
            if watching is not None:
                watching.cancel()
            was_ready = self._ready.is_set()
            self._ready.clear()
            await asyncio.shield(self._end(process))
            if was_ready:
                self._tell_of_end()

    async def _greet(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  # for mypy: pipes
        settings = json.loads(self._settings.model_dump_json(exclude={"database"}))
        settings["vault"]["secret"] = self._settings.vault.secret.get_secret_value()  # which is never dumped
        async with asyncio.timeout(START_LIMIT_S):
            process.stdin.write(json.dumps({"settings": settings}).encode() + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
        told = json.loads(line) if line else {}
        if "ready" not in told:
            raise ConnectionError(told.get("refused", "it said nothing; its words are in the gateway's log"))
        self._quiet_s = 0.0
        self._ready.set()
        log.info("vault_worker_started", extra={"pid": process.pid})

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101
        while line := await process.stdout.readline():
            self._quiet_s = 0.0
            told = json.loads(line)
            # the answer to what nobody waits for any more is dropped
            if told.get("id") == self._awaited:
                self._quiet_at_job_s = 0.0
                await self._answers.put(told)
        status = await process.wait()
        has_hung = self._quiet_s >= HUNG_S
        self._problem = f"it hung for {HUNG_S:.0f} s, and was killed" if has_hung else f"it ended with status {status}"

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Counts how long it has been quiet, and kills it where it has hung: one that was stopped, too."""
        while self._quiet_s < HUNG_S:
            await asyncio.sleep(LOOK_EVERY_S)
            self._quiet_s += LOOK_EVERY_S
            if self._awaited is not None:
                self._quiet_at_job_s += LOOK_EVERY_S
        log.warning("vault_worker_hangs", extra={"pid": process.pid, "quiet_s": self._quiet_s})
        self._kill(process)

    def _tell_of_end(self) -> None:
        if self._answers.full():
            self._answers.get_nowait()
        self._answers.put_nowait({"ended": self._problem})

    @staticmethod
    async def _end(process: asyncio.subprocess.Process) -> None:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await process.wait()
        except TimeoutError:
            VaultWorker._kill(process)
            try:
                async with asyncio.timeout(STOP_LIMIT_S):
                    await process.wait()
            except TimeoutError:
                # a disk that hangs lets nobody go, killed or not: the gateway's own end does not wait for it
                log.warning("vault_worker_does_not_end", extra={"pid": process.pid})

    @staticmethod
    def _kill(process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
