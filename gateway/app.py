"""The composition root: builds every object of the gateway, starts them in order and stops them in order.

Counterpart: `gateway/__main__.py` (`gateway112 serve`) runs it. Asterisk is not started here: it stands on its own.
"""

import asyncio
import logging
import shutil
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gateway import __version__
from gateway.advising import Advising, is_loaded
from gateway.api.application import build, served
from gateway.api.context import Context
from gateway.api.deliveries import Deliveries
from gateway.api.door import Door
from gateway.api.exports import Source
from gateway.api.health import Health, Status, keep_looking
from gateway.api.limits import Limits, is_within
from gateway.api.pictures import Pictures
from gateway.api.streams import Streams
from gateway.api.tls import tls_of
from gateway.api.uses import Uses
from gateway.api.workload import Workload
from gateway.asterisk import knocking, music, site, voices
from gateway.asterisk.advisor import Advisor, announced
from gateway.asterisk.board import Board
from gateway.asterisk.framing import Message
from gateway.asterisk.journal import Journal
from gateway.asterisk.link import AmiLink, LinkState
from gateway.asterisk.logfiles import LogFiles
from gateway.asterisk.switchboard import AsteriskSwitchboard
from gateway.banning import Banning
from gateway.blindness import Blindness
from gateway.bookkeeper import Bookkeeper
from gateway.callbacks import Callbacks
from gateway.centre import Centre
from gateway.certificates import Watched
from gateway.charge import Charge, Holder
from gateway.destroying import Destroying
from gateway.domain.advice import TrunkRule, in_vain, unreachable
from gateway.domain.books import never_banned
from gateway.domain.duty import Told
from gateway.domain.knocks import Knocks
from gateway.domain.sight import Why
from gateway.erasing import Erasing
from gateway.evidence import Evidence
from gateway.feed import Feed
from gateway.flow import Flow
from gateway.hearings import Hearings
from gateway.keeper import Keeper
from gateway.level import Level
from gateway.listening import Listening
from gateway.meter import watch_delays
from gateway.notices import IN_VAIN, Notices
from gateway.office import Office
from gateway.on_call import OnCallList
from gateway.past import Past
from gateway.pulse import Pulse
from gateway.recovery import Recovery
from gateway.saving import Saving
from gateway.settings import Settings
from gateway.store.custody import StoredCustody
from gateway.store.database import ask_anew, open_database, refuse_newer_schema
from gateway.store.evidence_reads import StoredEvidence
from gateway.store.past_reads import StoredPast
from gateway.store.reads import Reads
from gateway.store.repository import Repository
from gateway.store.sight_reads import StoredSight
from gateway.store.sole import SoleUse
from gateway.systemd import Manager
from gateway.vault.keys import KeyRing, SigningKey
from gateway.vault.playing import Player
from gateway.vault.raw import RawFolder
from gateway.vault.recordings import Recordings
from gateway.vault.rounds import moving
from gateway.vault.shelf import shelf_for
from gateway.vault.sounds import Sounds
from gateway.vault.worker_link import VaultWorker
from gateway.watch import Watch

log = logging.getLogger(__name__)

LAST_SAVE_LIMIT_S = 5.0
"""How long a stop waits for what is being stored."""
WAIT_TOLD_EVERY_S = 20.0
DATABASE_LOOK_EVERY_S = 0.5


class App:
    """The gateway. `run` returns when `stop` was called, or raises what ended it."""

    def __init__(self, settings: Settings, manager: Manager) -> None:
        """Raises SettingsError where the API's certificate cannot be used."""
        self._settings = settings
        self._manager = manager
        self._stopping = asyncio.Event()
        self._tls = tls_of(settings.api)
        self._started_at = _now()
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
        """Opens the store, then runs until `stop`. Raises StoreAway when the database cannot be opened, OSError when
        the API's port is taken."""
        settings = self._settings
        engine = await open_database(settings.database_url)
        store, past, custody = Repository(engine), StoredPast(engine), StoredCustody(engine)
        stored = StoredEvidence(engine)
        try:
            await self._run(store, Reads(engine), past, custody, stored, StoredSight(engine))
        finally:
            past.close()
            stored.close()
            custody.close()
            await store.close()
            await self.give_up()

    async def _run(
        self,
        store: Repository,
        reads: Reads,
        past: StoredPast,
        custody: StoredCustody,
        stored: StoredEvidence,
        sight: StoredSight,
    ) -> None:
        settings = self._settings
        feed, board = Feed(), Board(_now)
        saving = Saving(store, feed)
        bookkeeper = Bookkeeper(
            store, zone=ZoneInfo(settings.centre.timezone), default_queue=settings.call.queue, clock=_now
        )
        journal = Journal(settings.journal_dir, rotate_at_bytes=settings.journal.rotate_at_bytes, clock=_now)

        def hear(event: Message) -> None:
            journal.ring()
            advisor.hear(event)
            board.hear(event)
            if (call_id := announced(event)) is not None:
                blindness.announce(call_id)
            if (knock := knocking.heard(event)) is not None:
                banning.hear(knock)
            elif board.is_touched_by(event):
                keeper.touch()
            elif (voice := voices.heard(event, _now())) is not None:
                listening.hear(voice)
            elif (ring_id := switchboard.ring_that_failed(event)) is not None:
                watch.ring_failed(ring_id)
                callbacks.ring_failed(ring_id)

        async def came_up() -> None:
            keeper.come_up()

        link = AmiLink(
            host=settings.ami.host,
            port=settings.ami.port,
            username=site.AMI_USER,
            secret=site.ami_secret(settings),
            on_event=hear,
            on_up=came_up,
            action_timeout_s=settings.ami.action_timeout_s,
        )
        rules = {name: TrunkRule(rule.queue, rule.priority) for name, rule in settings.trunks.items()}

        advising = Advising(
            trunk_rules=rules,
            bookkeeper=bookkeeper,
            past=past,
            is_loaded=lambda queue: is_loaded(queue, centre.running_calls.values(), board.phones_there(queue)),
            is_deserted=lambda queue: switchboard.is_seeing and not board.phones_there(queue),
        )
        advisor = Advisor(link, advising.advise, _now)
        switchboard = AsteriskSwitchboard(link, board)

        def is_hearing() -> bool:
            return switchboard.is_seeing and journal.is_drained and not journal.waits

        offers_sha256 = await asyncio.to_thread(site.offers_sha256, settings)
        always = replace(site.always(settings), offers_sha256=offers_sha256)
        doomed: set[str] = set()
        level = Level(
            switchboard=switchboard, bookkeeper=bookkeeper, saving=saving, journal=journal, always=always, clock=_now
        )
        office = Office(
            store=store,
            saving=saving,
            bookkeeper=bookkeeper,
            level=level,
            always=always,
            music=music.classes(),
            doomed=doomed,
            clock=_now,
        )
        banning = Banning(
            knocks=Knocks(settings.sip.ban_after, settings.sip.ban_within_s),
            ban_s=settings.sip.ban_minutes * 60,
            office=office,
            bookkeeper=bookkeeper,
            kept_open=lambda books: (*never_banned(books, always), *board.phone_addresses),
            clock=_now,
            clock_s=time.monotonic,
        )
        callbacks = Callbacks(
            store=store,
            saving=saving,
            bookkeeper=bookkeeper,
            switchboard=switchboard,
            clock=_now,
            clock_s=time.monotonic,
            is_busy=lambda phone: phone in board.busy_phones,
        )
        vault, signing = VaultWorker(settings), SigningKey(settings.vault_dir)
        sealed = Sounds(settings.paths.recordings, shelf_for(settings), KeyRing(settings.vault_dir))
        destroying = Destroying(
            custody=custody, saving=saving, bookkeeper=bookkeeper, vault=vault, doomed=doomed, clock=_now
        )
        erasing = Erasing(custody=custody, store=store, saving=saving, office=office, destroying=destroying, clock=_now)
        sounds = RawFolder(settings.paths.recordings)
        evidence = Evidence(
            store=store,
            reads=stored,
            saving=saving,
            vault=vault,
            vault_problem=lambda: vault.problem,
            sounds=sounds,
            running_calls=lambda: centre.running_calls.values(),
            is_hearing=is_hearing,
            low_bytes=settings.vault.low_space_mb * 1_000_000,
            moving=lambda: moving(settings),
            clock=_now,
            clock_s=time.monotonic,
        )
        recovery = Recovery(
            store=store,
            reads=stored,
            saving=saving,
            vault=vault,
            sounds=sounds,
            evidence=evidence,
            running_calls=lambda: centre.running_calls.keys(),
            is_told=lambda: journal.is_drained and not journal.waits,
            clock=_now,
        )

        def why_blind() -> tuple[Why, str] | None:
            if link.state is not LinkState.UP or not switchboard.is_seeing:
                return Why.ASTERISK, link.reason
            return (Why.STORE, journal.waits) if journal.waits else None

        blindness = Blindness(
            store=store,
            reads=sight,
            saving=saving,
            zone=bookkeeper.zone,
            why_blind=why_blind,
            lost_s=lambda: link.lost_s,
            is_drained=lambda: journal.is_told and journal.is_drained,
            running_calls=lambda: centre.running_calls,
            clock=_now,
        )
        watch = Watch(
            store=store,
            saving=saving,
            bookkeeper=bookkeeper,
            callbacks=callbacks,
            switchboard=switchboard,
            line=board,
            on_call=OnCallList(
                saving=saving, switchboard=switchboard, office=office, clock=_now, clock_s=time.monotonic
            ),
            flow=Flow(
                past=Past(reads.flow, bookkeeper.zone),
                feed=feed,
                line=board,
                is_hearing=is_hearing,
            ),
            destroying=destroying,
            evidence=evidence,
            blindness=blindness,
            is_seeing=lambda: switchboard.is_seeing,
            running_calls=lambda: centre.running_calls.values(),
            last_talks=lambda: centre.last_talks,
            clock_s=time.monotonic,
            own_phones=frozenset(always.phones),
        )
        notices = Notices(switchboard)

        def duty_changed(told: list[Told]) -> None:
            notices.take(told)
            keeper.touch()

        centre = Centre(
            store=store,
            switchboard=switchboard,
            feed=feed,
            saving=saving,
            bookkeeper=bookkeeper,
            callbacks=callbacks,
            clock=_now,
            on_duty_changed=duty_changed,
            on_ring_told=watch.hear,
            on_code_in_vain=lambda phone: notices.show(phone, IN_VAIN),
        )
        listening = Listening(
            centre=centre,
            switchboard=switchboard,
            notices=notices,
            listens_since=lambda: link.since if link.state is LinkState.UP and switchboard.can_hear else None,
            clock=_now,
            clock_s=time.monotonic,
        )
        keeper = Keeper(
            level=level,
            settle=centre.settle,
            resume=centre.resume,
            is_drained=lambda: journal.is_drained,
            watch=watch.tick,
            clock=_now,
        )
        await centre.resume()
        await blindness.begin()
        await office.set_up(settings.call.queue, site.kept_secret(settings.paths.var / "admin-token"))
        books = await bookkeeper.books()
        phones = {operator.phone for operator in books.operators.values()}
        for reason in (
            *in_vain(rules, books.trunks, books.queues),
            *unreachable(settings.call.last_resort, books.trunks, phones),
        ):
            log.warning("setting_in_vain", extra={"reason": reason})

        api = settings.api
        uses = Uses(store, _now)
        streams = Streams(feed, reads, note_use=uses.note, clock=_now)
        door = Door(
            limit=api.connections,
            per_address=api.connections_per_address,
            is_proxy=lambda address: is_within(address, api.proxies),
        )
        deliveries = Deliveries(
            saving=saving, store=store, reads=reads, feed=feed, centre_name=settings.centre.name, clock=_now
        )

        certificate = Watched(settings, time.monotonic)

        def status() -> Status:
            return Status(
                asterisk_up=link.state is LinkState.UP,
                asterisk_reason=link.reason,
                asterisk_since=link.since,
                is_seeing=switchboard.is_seeing,
                journal_lag_bytes=journal.lag_bytes,
                journal_waits=journal.waits,
                free_bytes=_free_bytes(settings),
                operators_available=len(board.phones_there(settings.call.queue)),
                version=__version__,
                started_at=self._started_at,
                sip_refused=board.refused_requests,
                sip_certificate_problem=certificate.problem(_now()),
                sip_certificate_ends_at=certificate.certificate.ends_at if certificate.certificate else None,
                sip_banned=banning.in_force,
                sip_bans_made=banning.banned,
                sip_bans_spared=banning.spared,
                advice_given=advisor.given,
                advice_missed=advisor.missed,
                advice_late=advising.late,
                advice_is_blind=advising.is_blind,
                advice_rule_faults=advising.faults,
                trunk_rules=rules,
                last_resort=settings.call.last_resort,
                sip_host=settings.sip.host,
                recordings=evidence.standing,
                link_counts=asdict(link.counters),
            )

        context = Context(
            centre=centre,
            office=office,
            callbacks=callbacks,
            level=level,
            listening=listening,
            bookkeeper=bookkeeper,
            feed=feed,
            store=store,
            reads=reads,
            recordings=Recordings(settings.paths.recordings),
            custody=custody,
            destroying=destroying,
            erasing=erasing,
            export_source=Source(
                settings.paths.recordings, sealed.open, signing.sign, signing.has_signed, signing.public_pem
            ),
            sounds=sealed,
            player=Player(),
            hearings=Hearings(saving=saving, clock=_now),
            streams=streams,
            deliveries=deliveries,
            workload=Workload(reads.workload, zone=bookkeeper.zone, clock=_now),
            pictures=Pictures(
                centre=centre,
                bookkeeper=bookkeeper,
                line=board,
                reads=reads,
                feed=feed,
                status=status,
                catch_up=journal.catch_up,
                silent_calls=lambda: listening.silent_calls,
                clock=_now,
            ),
            status=status,
            health=Health(),
            meter=saving.meter,
            blindness=blindness,
            board=board,
            door=door,
            limits=Limits.of(api, time.monotonic),
            uses=uses,
            proxies=api.proxies,
            tls=self._tls,
            calendar_secret=site.kept_secret(settings.paths.var / "calendar-secret").encode(),
            title=settings.centre.title,
            clock=_now,
        )
        pulse = Pulse(
            self._manager,
            is_told=lambda: journal.is_told,
            turned_s=lambda: journal.turned_s,
            newest=lambda: feed.newest,
            ask=store.try_to_write,
            ask_anew=lambda: ask_anew(settings.database_url),
            words=lambda: _in_a_line(status(), len(centre.running_calls)),
            clock_s=asyncio.get_running_loop().time,
        )
        tls_context = self._tls.context if self._tls else None
        async with served(build(context), door, api.host, api.port, tls_context) as serving:
            log.info("gateway_started", extra={"version": __version__, "api": settings.api_url})
            async with asyncio.TaskGroup() as edges:
                tasks = [
                    edges.create_task(link.run()),
                    edges.create_task(journal.follow(store.journal_positions, centre.record, centre.resume)),
                    edges.create_task(advisor.run()),
                    edges.create_task(centre.judge_rings(lambda: journal.is_drained)),
                    edges.create_task(keeper.run()),
                    edges.create_task(banning.run()),
                    edges.create_task(LogFiles(link, settings.asterisk_dir / "log").run()),
                    edges.create_task(notices.run()),
                    edges.create_task(listening.run()),
                    edges.create_task(vault.run()),
                    edges.create_task(destroying.run()),
                    edges.create_task(erasing.run()),
                    edges.create_task(evidence.run()),
                    edges.create_task(blindness.run()),
                    edges.create_task(recovery.run()),
                    edges.create_task(keep_looking(context)),
                    edges.create_task(watch_delays(saving.meter)),
                    edges.create_task(deliveries.run()),
                    edges.create_task(streams.watch()),
                    edges.create_task(uses.run()),
                    *([edges.create_task(self._tls.run())] if self._tls else ()),
                    edges.create_task(pulse.run()),
                    edges.create_task(self._keep_charge()),
                ]
                await self._stopping.wait()
                log.info("gateway_stopping")
                self._manager.stopping()
                # whoever asked is answered while all else still runs, and what was said until now is told
                await serving.close()
                await journal.catch_up()
                await _last_save(saving)
                for task in tasks:
                    task.cancel()
        log.info("gateway_stopped")

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


def _in_a_line(status: Status, running_calls: int) -> str:
    asterisk = "Asterisk is up" if status.asterisk_up else f"Asterisk is away: {status.asterisk_reason}"
    waits = f"; the journal waits: {status.journal_waits}" if status.journal_waits else ""
    return f"{asterisk}; {running_calls} calls{waits}"


def _free_bytes(settings: Settings) -> dict[str, int]:
    """The space that is left where calls are written down, by the setting that names the place."""
    places = {"paths.var": settings.paths.var, "paths.recordings": settings.paths.recordings}
    return {key: shutil.disk_usage(path).free for key, path in places.items() if path.exists()}


def _now() -> datetime:
    return datetime.now(UTC)
