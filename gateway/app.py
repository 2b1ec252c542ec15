"""The composition root: builds every object of the gateway, starts them in order and stops them in order.

Counterpart: `gateway/__main__.py` (`gateway112 serve`) runs it. Asterisk is not started here: it stands on its own.
"""

import asyncio
import contextlib
import hashlib
import logging
from datetime import UTC, datetime

from aiohttp import web

from gateway import __version__, probe
from gateway.api.application import build
from gateway.api.context import Context
from gateway.api.deliveries import Deliveries
from gateway.api.health import Status
from gateway.api.streams import Streams
from gateway.asterisk import site, trunks
from gateway.asterisk.advisor import Advisor
from gateway.asterisk.board import Board
from gateway.asterisk.framing import Message
from gateway.asterisk.journal import Journal
from gateway.asterisk.link import AmiLink, LinkState
from gateway.asterisk.switchboard import AsteriskSwitchboard
from gateway.centre import Centre, StoreAway, SwitchboardAway, sip_digest
from gateway.domain.advice import TrunkRule, advise
from gateway.domain.operators import Holding, Member, Phone
from gateway.feed import Feed
from gateway.settings import PROJECT, Settings
from gateway.store.database import open_database
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from gateway.vault.recordings import Recordings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0
SECOND_LOOK_S = 3.0
"""After a reconnect the second look comes soon: calls that died with Asterisk are settled by it."""
STOP_TIMEOUT_S = 5.0


class App:
    """The gateway. `run` returns when `stop` was called, or raises what ended it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = asyncio.Event()
        self._look_again = asyncio.Event()
        self._started_at = _now()

    def stop(self) -> None:
        """Asks `run` to end. May be called from a signal handler."""
        self._stopping.set()

    async def run(self) -> None:
        """Opens the store, then runs until `stop`. Raises StoreAway when the database cannot be opened, OSError when
        the API's port is taken."""
        settings = self._settings
        engine = await open_database(settings.database_url)
        store = Repository(engine)
        try:
            await self._run(store, Reads(engine))
        finally:
            await store.close()

    async def _run(self, store: Repository, reads: Reads) -> None:
        settings = self._settings
        token = site.kept_secret(settings.paths.var / "admin-token")
        await store.put_token(hashlib.sha256(token.encode()).hexdigest(), "admin", "admin")

        feed, board = Feed(), Board()
        journal = Journal(settings.journal_dir, rotate_at_bytes=settings.journal.rotate_at_bytes, clock=_now)
        rules = {name: TrunkRule(rule.queue, rule.priority) for name, rule in settings.trunks.items()}
        advisor: Advisor

        def hear(event: Message) -> None:
            journal.ring()
            advisor.hear(event)
            board.hear(event)

        link = AmiLink(
            host=settings.ami.host,
            port=settings.ami.port,
            username=site.AMI_USER,
            secret=site.ami_secret(settings),
            on_event=hear,
            on_up=self._on_up,
            action_timeout_s=settings.ami.action_timeout_s,
        )
        advisor = Advisor(link, lambda trunk: advise(trunk, rules))
        centre = Centre(
            store=store,
            switchboard=AsteriskSwitchboard(link, board),
            feed=feed,
            clock=_now,
            standing=probe_holding(settings),
            queues=frozenset({settings.call.queue}),
        )
        await centre.resume()

        known_trunks = trunks.read(PROJECT / "asterisk-config/pjsip.conf")
        streams = Streams(feed, reads)
        deliveries = Deliveries(
            centre=centre, store=store, reads=reads, feed=feed, centre_name=settings.centre.name, clock=_now
        )
        context = Context(
            centre=centre,
            feed=feed,
            store=store,
            reads=reads,
            recordings=Recordings(settings.paths.recordings),
            streams=streams,
            deliveries=deliveries,
            status=lambda: Status(
                asterisk_up=link.state is LinkState.UP,
                asterisk_reason=link.reason,
                journal_lag_bytes=journal.lag_bytes,
                operators_available=board.operators_there(settings.call.queue),
                version=__version__,
                started_at=self._started_at,
                sip_refused=board.refused_requests,
                advice_given=advisor.given,
                advice_missed=advisor.missed,
            ),
            phone_states=lambda: board.phone_states,
            trunks=tuple(trunk.name for trunk in known_trunks),
            trunk_addresses=frozenset(address for trunk in known_trunks for address in trunk.addresses),
            clock=_now,
        )
        runner = web.AppRunner(build(context), access_log=None, handle_signals=False, shutdown_timeout=STOP_TIMEOUT_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, settings.api.host, settings.api.port).start()
            log.info("gateway_started", extra={"version": __version__, "api": settings.api_url})
            async with asyncio.TaskGroup() as edges:
                tasks = [
                    edges.create_task(link.run()),
                    edges.create_task(journal.follow(store.journal_positions, centre.record, centre.resume)),
                    edges.create_task(advisor.run()),
                    edges.create_task(self._keep_level(centre, journal)),
                    edges.create_task(deliveries.run()),
                ]
                await self._stopping.wait()
                log.info("gateway_stopping")
                for task in tasks:
                    task.cancel()
        finally:
            await runner.cleanup()

    async def _on_up(self) -> None:
        self._look_again.set()

    async def _keep_level(self, centre: Centre, journal: Journal) -> None:
        """Looks at what Asterisk holds: after each login twice, then every LOOK_EVERY_S."""
        while True:
            is_first_look = self._look_again.is_set()
            self._look_again.clear()
            try:
                await centre.reconcile()
                if journal.is_drained:
                    await centre.settle()
            except SwitchboardAway as error:
                log.warning("look_failed", extra={"reason": str(error)})
            except StoreAway as error:
                log.warning("look_failed", extra={"reason": str(error)})
                with contextlib.suppress(StoreAway):  # the journal's follower resumes too, once it has a record
                    await centre.resume()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SECOND_LOOK_S if is_first_look else LOOK_EVERY_S):
                    await self._look_again.wait()


def probe_holding(settings: Settings) -> Holding:
    """The probe's own phone and its place: they always stand, and no admin sees or changes them."""
    secret = site.kept_secret(settings.paths.var / "probe-secret")
    phone = Phone(probe.PHONE, sip_digest(probe.PHONE, secret))
    place = Member(probe.QUEUE, probe.PHONE)
    return Holding({phone.number: phone}, {place.key: place})


def _now() -> datetime:
    return datetime.now(UTC)
