"""The gateway's life: it takes charge, opens the stores, starts every part of the house, and stops them in order.

Counterparts: `house.py` puts the parts together; `gateway/__main__.py` (`gateway112 serve`) runs this. Asterisk is not
started here: it stands on its own.
"""

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from gateway import __version__
from gateway.api.application import build, served
from gateway.api.health import Status, keep_looking
from gateway.api.tls import Tls, tls_of
from gateway.asterisk import site
from gateway.asterisk.logfiles import LogFiles
from gateway.charge import Charge, Holder
from gateway.house import House
from gateway.meter import watch_delays
from gateway.pulse import Pulse
from gateway.saving import Saving
from gateway.settings import ApiSettings, Settings, SettingsError
from gateway.store.database import MIGRATION_LIMIT_S, ask_anew, refuse_newer_schema
from gateway.store.sole import SoleUse
from gateway.stores import Stores
from gateway.systemd import Manager

log = logging.getLogger(__name__)

LAST_SAVE_LIMIT_S = 5.0
"""How long a stop waits for what is being stored."""
WAIT_TOLD_EVERY_S = 20.0
DATABASE_LOOK_EVERY_S = 0.5
CERTIFICATE_LOOK_EVERY_S = 10.0


class App:
    """The gateway. `run` returns when `stop` was called, or raises what ended it."""

    def __init__(self, settings: Settings, manager: Manager) -> None:
        self._settings = settings
        self._manager = manager
        self._stopping = asyncio.Event()
        self._tls, self._closed = _tls(settings.api)
        self._sole: SoleUse | None = None
        self._waited_for: Holder | str | None = None
        self._waiting_told_s = 0.0

    def stop(self) -> None:
        """Asks `run` to end. May be called from a signal handler."""
        self._stopping.set()

    def reload(self) -> None:
        """Takes what may change while it runs: the API's certificate. May be called from a signal handler."""
        if self._tls is not None:
            self._tls.reload()

    async def take_charge(self, charge: Charge) -> bool:
        """True once no other gateway has charge of this centre or works on its database, False where `stop` came first.
        Raises SchemaTooNew and StoreAway before whoever has charge is waited for."""
        await refuse_newer_schema(self._settings.database_url)
        if not await charge.wait(self._stopping, _now, self._tell_of_waiting):
            return False
        self._sole = SoleUse(self._settings.database_url)
        while not await self._sole.take():
            self._tell_of_waiting("another one on this database, of another folder or machine")
            if self._stopping.is_set():
                await self.give_up()
                return False
            await asyncio.sleep(DATABASE_LOOK_EVERY_S)
        return True

    async def give_up(self) -> None:
        """Lets the database go to whoever waits."""
        if self._sole is not None:
            await self._sole.give_up()

    def _tell_of_waiting(self, holder: Holder | str) -> None:
        if holder != self._waited_for:
            self._waited_for = holder
            self._waiting_told_s = 0.0
            log.info("gateway_waits", extra={"for": str(holder)})
        if time.monotonic() - self._waiting_told_s >= WAIT_TOLD_EVERY_S:
            self._waiting_told_s = time.monotonic()
            self._manager.takes(3 * WAIT_TOLD_EVERY_S)
            self._manager.status(f"waits for another gateway to end: {holder}")

    async def run(self) -> None:
        """Opens the stores, then runs until `stop`. Raises StoreAway when the database cannot be opened, OSError when
        the API's port is taken."""
        self._manager.takes(MIGRATION_LIMIT_S)
        self._manager.status("brings the database up to date")
        stores = await Stores.open(self._settings.database_url)
        try:
            await self._run(stores)
        finally:
            await stores.close()
            await self.give_up()

    async def _run(self, stores: Stores) -> None:
        settings, api = self._settings, self._settings.api
        offers_sha256 = await asyncio.to_thread(site.offers_sha256, settings)
        house = House(settings, stores, self._tls, offers_sha256=offers_sha256)
        await house.set_up()
        pulse = Pulse(
            self._manager,
            is_told=lambda: house.journal.is_told,
            turned_s=lambda: house.journal.turned_s,
            newest=lambda: house.feed.newest,
            ask=stores.store.try_to_write,
            ask_anew=lambda: ask_anew(settings.database_url),
            words=lambda: _in_a_line(house.status(), len(house.centre.running_calls), self._closed),
            clock_s=asyncio.get_running_loop().time,
        )
        tls_context = self._tls.context if self._tls else None
        async with AsyncExitStack() as stack:
            serving = None
            if self._closed:
                log.error("api_closed", extra={"reason": self._closed})
            else:
                serving = await stack.enter_async_context(
                    served(build(house.context), house.door, api.host, api.port, tls_context)
                )
            log.info("gateway_started", extra={"version": __version__, "api": settings.api_url})
            async with asyncio.TaskGroup() as edges:
                tasks = [
                    edges.create_task(house.link.run()),
                    edges.create_task(
                        house.journal.follow(stores.store.journal_positions, house.centre.record, house.centre.resume)
                    ),
                    edges.create_task(house.advisor.run()),
                    edges.create_task(house.centre.judge_rings(house.is_read)),
                    edges.create_task(house.keeper.run()),
                    edges.create_task(house.setback.run()),
                    edges.create_task(house.banning.run()),
                    edges.create_task(LogFiles(house.link, settings.asterisk_dir / "log").run()),
                    edges.create_task(house.notices.run()),
                    edges.create_task(house.listening.run()),
                    edges.create_task(house.shedding.run()),
                    edges.create_task(house.vault.run()),
                    edges.create_task(house.destroying.run()),
                    edges.create_task(house.erasing.run()),
                    edges.create_task(house.logbook.run()),
                    edges.create_task(house.evidence.run()),
                    edges.create_task(house.blindness.run()),
                    edges.create_task(house.recovery.run()),
                    edges.create_task(keep_looking(house.context)),
                    edges.create_task(watch_delays(house.saving.meter)),
                    edges.create_task(house.deliveries.run()),
                    edges.create_task(house.streams.watch()),
                    edges.create_task(house.uses.run()),
                    *([edges.create_task(self._tls.run())] if self._tls else ()),
                    *([edges.create_task(self._end_once_it_can_open())] if self._closed else ()),
                    edges.create_task(pulse.run()),
                    edges.create_task(self._keep_charge()),
                ]
                await self._stopping.wait()
                log.info("gateway_stopping")
                self._manager.stopping()
                # whoever asked is answered while all else still runs, and what was said until now is told
                if serving is not None:
                    await serving.close()
                await house.journal.catch_up()
                await _last_save(house.saving)
                for task in tasks:
                    task.cancel()
        log.info("gateway_stopped")

    async def _end_once_it_can_open(self) -> None:
        """Ends this gateway once the API's certificate can be used: its next start opens the API."""
        while not self._stopping.is_set():
            await asyncio.sleep(CERTIFICATE_LOOK_EVERY_S)
            if not _tls(self._settings.api)[1]:
                log.info("api_can_be_opened")
                self.stop()

    async def _keep_charge(self) -> None:
        """Ends this gateway where another one works on the database: it waits for that one after its next start."""
        if self._sole is not None:
            await self._sole.keep()
            self.stop()


async def _last_save(saving: Saving) -> None:
    """Returns between two saves. What is cut off all the same is stored whole or not at all, and read again."""
    try:
        async with asyncio.timeout(LAST_SAVE_LIMIT_S), saving.turn:
            pass
    except TimeoutError:
        log.warning("stopped_while_saving", extra={"waited_s": LAST_SAVE_LIMIT_S})


def _tls(api: ApiSettings) -> tuple[Tls | None, str]:
    """The API's TLS, None without; and why it cannot be used. Then the API stays closed, and all else goes on: the
    roster is carried out, people are rung, calls are told."""
    try:
        return tls_of(api), ""
    except SettingsError as error:
        return None, str(error)


def _in_a_line(status: Status, running_calls: int, closed: str) -> str:
    asterisk = "Asterisk is up" if status.asterisk_up else f"Asterisk is away: {status.asterisk_reason}"
    waits = f"; the journal waits: {status.journal_waits}" if status.journal_waits else ""
    return f"{asterisk}; {running_calls} calls{waits}{f'; the API is closed: {closed}' if closed else ''}"


def _now() -> datetime:
    return datetime.now(UTC)
