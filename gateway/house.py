"""The house: every part of the gateway, and what each is given. Building it starts nothing.

Counterpart: `app.py` opens the stores, has this built, starts the parts and stops them.
"""

import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from gateway import __version__
from gateway.advising import Advising, is_loaded
from gateway.api.context import Context
from gateway.api.deliveries import Deliveries
from gateway.api.door import Door
from gateway.api.exports import Source
from gateway.api.health import Health, Status
from gateway.api.limits import Limits, is_within
from gateway.api.pictures import Pictures
from gateway.api.streams import Streams
from gateway.api.tls import Tls
from gateway.api.uses import Uses
from gateway.api.workload import Workload
from gateway.asterisk import knocking, music, site, voices
from gateway.asterisk.advisor import Advisor, announced
from gateway.asterisk.board import Board
from gateway.asterisk.framing import Message
from gateway.asterisk.journal import Journal
from gateway.asterisk.link import AmiLink, LinkState
from gateway.asterisk.switchboard import AsteriskSwitchboard, room_bytes
from gateway.asterisk.waking import Waking
from gateway.banning import Banning
from gateway.blindness import Blindness
from gateway.bookkeeper import Bookkeeper
from gateway.callbacks import Callbacks
from gateway.centre import Centre
from gateway.certificates import Watched
from gateway.destroying import Destroying
from gateway.domain.advice import TrunkRule, in_vain, no_such_queue, unreachable
from gateway.domain.books import never_banned
from gateway.domain.duty import Told
from gateway.domain.knocks import Knocks
from gateway.domain.overload import answer_s
from gateway.domain.sight import Why
from gateway.domain.strays import Strays
from gateway.erasing import Erasing
from gateway.evidence import Evidence
from gateway.feed import Feed
from gateway.flow import Flow
from gateway.hearings import Hearings
from gateway.keeper import Keeper
from gateway.level import Level
from gateway.listening import Listening
from gateway.logbook import Logbook
from gateway.notices import IN_VAIN, Notices
from gateway.office import Office
from gateway.on_call import OnCallList
from gateway.past import Past
from gateway.recovery import Recovery
from gateway.saving import Saving
from gateway.setback import SetBack
from gateway.settings import Settings
from gateway.shedding import Shedding
from gateway.stores import Stores
from gateway.uptime import uptime
from gateway.vault.keys import KeyRing, SigningKey
from gateway.vault.looks import verification
from gateway.vault.playing import Player
from gateway.vault.raw import RawFolder
from gateway.vault.recordings import Recordings
from gateway.vault.rounds import moving
from gateway.vault.shelf import shelf_for
from gateway.vault.sounds import Sounds
from gateway.vault.worker_link import VaultWorker
from gateway.watch import Watch

log = logging.getLogger(__name__)


class House:
    """`tls` is the API's certificate, None where it has none; `offers_sha256` says whether phones are asked for such a
    digest, too."""

    def __init__(self, settings: Settings, stores: Stores, tls: Tls | None, *, offers_sha256: bool) -> None:
        self._settings = settings
        self._tls = tls
        self._started_at = _now()
        self.always = replace(site.always(settings), offers_sha256=offers_sha256)
        self.feed, self.board, self.strays = Feed(), Board(_now), Strays()
        self.saving = Saving(stores.store, self.feed)
        self.bookkeeper = Bookkeeper(
            stores.store,
            zone=ZoneInfo(settings.centre.timezone),
            default_queues=site.own_queues(settings),
            clock=_now,
        )
        self.journal = Journal(settings.journal_dir, rotate_at_bytes=settings.journal.rotate_at_bytes, clock=_now)
        self.shedding = Shedding(
            saving=self.saving,
            journal_s=lambda: self.journal.behind_s,
            answer_s=lambda: answer_s(self.centre.running_calls.values(), settings.call.ring_before_answer_s),
            clock=_now,
        )
        self._reach_asterisk(settings, stores)
        self._keep_books(settings, stores)
        self._keep_recordings(settings, stores)
        self._watch(stores)
        self._follow_calls(stores)
        self._open_to_people(settings, stores)
        self.context = self._context(settings, stores)

    def _reach_asterisk(self, settings: Settings, stores: Stores) -> None:
        self.link = AmiLink(
            host=settings.ami.host,
            port=settings.ami.port,
            username=site.AMI_USER,
            secret=site.ami_secret(settings),
            on_event=self._hear,
            on_up=self._came_up,
            action_timeout_s=settings.ami.action_timeout_s,
        )
        self.rules = {name: TrunkRule(rule.queue, rule.priority) for name, rule in settings.trunks.items()}
        self.advising = Advising(
            trunk_rules=self.rules,
            bookkeeper=self.bookkeeper,
            past=stores.past,
            is_loaded=lambda queue: is_loaded(
                queue, self.centre.running_calls.values(), self.board.phones_there(queue)
            ),
            is_deserted=lambda queue: self.switchboard.is_seeing and not self.board.phones_there(queue),
        )
        self.advisor = Advisor(self.link, self.advising.advise, _now)
        self.switchboard = AsteriskSwitchboard(self.link, self.board, lambda: room_bytes(settings.asterisk_dir / "etc"))

    def _keep_books(self, settings: Settings, stores: Stores) -> None:
        self.doomed: set[str] = set()
        self.level = Level(
            switchboard=self.switchboard,
            bookkeeper=self.bookkeeper,
            saving=self.saving,
            journal=self.journal,
            always=self.always,
            strays=self.strays,
            clock=_now,
            clock_s=time.monotonic,
        )
        self.office = Office(
            store=stores.store,
            saving=self.saving,
            bookkeeper=self.bookkeeper,
            level=self.level,
            always=self.always,
            music=music.classes(),
            doomed=self.doomed,
            clock=_now,
        )
        self.banning = Banning(
            knocks=Knocks(settings.sip.ban_after, settings.sip.ban_within_s),
            ban_s=settings.sip.ban_minutes * 60,
            office=self.office,
            bookkeeper=self.bookkeeper,
            kept_open=lambda books: (*never_banned(books, self.always), *self.board.phone_addresses),
            clock=_now,
            clock_s=time.monotonic,
        )
        self.callbacks = Callbacks(
            store=stores.store,
            saving=self.saving,
            bookkeeper=self.bookkeeper,
            switchboard=self.switchboard,
            clock=_now,
            clock_s=time.monotonic,
            is_busy=lambda phone: phone in self.board.busy_phones,
        )

    def _keep_recordings(self, settings: Settings, stores: Stores) -> None:
        self.vault, self.signing = VaultWorker(settings), SigningKey(settings.vault_dir)
        self.sealed = Sounds(settings.paths.recordings, shelf_for(settings), KeyRing(settings.vault_dir))
        self.destroying = Destroying(
            custody=stores.custody,
            saving=self.saving,
            bookkeeper=self.bookkeeper,
            vault=self.vault,
            doomed=self.doomed,
            clock=_now,
            uptime=uptime,
        )
        self.logbook = Logbook(settings.paths.var, self.saving)
        self.erasing = Erasing(
            custody=stores.custody,
            store=stores.store,
            saving=self.saving,
            office=self.office,
            destroying=self.destroying,
            clock=_now,
        )
        self.sounds = RawFolder(settings.paths.recordings)
        self.evidence = Evidence(
            store=stores.store,
            reads=stores.evidence,
            saving=self.saving,
            vault=self.vault,
            vault_problem=lambda: self.vault.problem,
            sounds=self.sounds,
            running_calls=lambda: self.centre.running_calls.values(),
            is_seeing=lambda: self.switchboard.is_seeing,
            is_hearing=self._is_hearing,
            low_bytes=settings.vault.low_space_mb * 1_000_000,
            moving=lambda: moving(settings),
            verification=lambda: verification(settings),
            luxuries=self.shedding.luxuries,
            clock=_now,
            clock_s=time.monotonic,
        )
        self.recovery = Recovery(
            store=stores.store,
            reads=stores.evidence,
            saving=self.saving,
            vault=self.vault,
            sounds=self.sounds,
            evidence=self.evidence,
            running_calls=lambda: self.centre.running_calls.keys(),
            is_told=self.is_read,
            clock=_now,
        )

    def _watch(self, stores: Stores) -> None:
        self.blindness = Blindness(
            store=stores.store,
            reads=stores.sight,
            saving=self.saving,
            zone=self.bookkeeper.zone,
            why_blind=self._why_blind,
            lost_s=lambda: self.link.lost_s,
            is_drained=lambda: self.journal.is_told and self.journal.is_drained,
            running_calls=lambda: self.centre.running_calls,
            clock=_now,
        )
        self.watch = Watch(
            store=stores.store,
            saving=self.saving,
            bookkeeper=self.bookkeeper,
            callbacks=self.callbacks,
            switchboard=self.switchboard,
            line=self.board,
            on_call=OnCallList(
                saving=self.saving, switchboard=self.switchboard, office=self.office, clock=_now, clock_s=time.monotonic
            ),
            flow=Flow(
                past=Past(stores.reads.flow, self.bookkeeper.zone),
                feed=self.feed,
                line=self.board,
                is_hearing=self._is_hearing,
            ),
            destroying=self.destroying,
            erasing=self.erasing,
            evidence=self.evidence,
            blindness=self.blindness,
            strays=self.strays,
            receivers=lambda standing, now: self.deliveries.alarms(standing, now),
            is_seeing=lambda: self.switchboard.is_seeing,
            running_calls=lambda: self.centre.running_calls.values(),
            last_talks=lambda: self.centre.last_talks,
            clock_s=time.monotonic,
            own_phones=frozenset(self.always.phones),
        )

    def _follow_calls(self, stores: Stores) -> None:
        self.notices = Notices(self.switchboard)
        self.centre = Centre(
            store=stores.store,
            switchboard=self.switchboard,
            feed=self.feed,
            saving=self.saving,
            bookkeeper=self.bookkeeper,
            callbacks=self.callbacks,
            raw_sounds=self.sounds,
            clock=_now,
            on_duty_changed=self._duty_changed,
            on_ring_told=self.watch.hear,
            on_code_in_vain=lambda phone: self.notices.show(phone, IN_VAIN),
            linked_since=lambda: self.link.since if self.link.state is LinkState.UP else None,
        )
        self.listening = Listening(
            centre=self.centre,
            switchboard=self.switchboard,
            notices=self.notices,
            listens_since=self._listens_since,
            clock=_now,
            clock_s=time.monotonic,
        )
        self.setback = SetBack(wake=Waking(self.link).wake, clock=_now, clock_s=time.monotonic)
        self.keeper = Keeper(
            level=self.level,
            settle=self.centre.settle,
            resume=self.centre.resume,
            is_drained=self.is_read,
            watch=self.watch.tick,
            clock=_now,
        )

    def _open_to_people(self, settings: Settings, stores: Stores) -> None:
        api = settings.api
        self.uses = Uses(stores.store, _now)
        self.streams = Streams(
            self.feed, stores.reads, note_use=self.uses.note, clock=_now, luxuries=self.shedding.luxuries
        )
        self.door = Door(
            limit=api.connections,
            per_address=api.connections_per_address,
            is_proxy=lambda address: is_within(address, api.proxies),
        )
        self.deliveries = Deliveries(
            saving=self.saving,
            store=stores.store,
            reads=stores.reads,
            feed=self.feed,
            centre_name=settings.centre.name,
            clock=_now,
            luxuries=self.shedding.luxuries,
        )
        self.certificate = Watched(settings, time.monotonic)

    def _context(self, settings: Settings, stores: Stores) -> Context:
        return Context(
            centre=self.centre,
            office=self.office,
            callbacks=self.callbacks,
            level=self.level,
            listening=self.listening,
            bookkeeper=self.bookkeeper,
            feed=self.feed,
            store=stores.store,
            reads=stores.reads,
            recordings=Recordings(settings.paths.recordings),
            custody=stores.custody,
            destroying=self.destroying,
            erasing=self.erasing,
            export_source=Source(
                settings.paths.recordings,
                self.sealed.open,
                self.signing.sign,
                self.signing.signed_by,
                self.signing.public_pem,
            ),
            sounds=self.sealed,
            player=Player(),
            hearings=Hearings(saving=self.saving, clock=_now),
            streams=self.streams,
            deliveries=self.deliveries,
            workload=Workload(stores.reads.workload, zone=self.bookkeeper.zone, clock=_now),
            pictures=Pictures(
                centre=self.centre,
                bookkeeper=self.bookkeeper,
                line=self.board,
                reads=stores.reads,
                feed=self.feed,
                status=self.status,
                catch_up=self.journal.catch_up,
                silent_calls=lambda: self.listening.silent_calls,
                clock=_now,
                luxuries=self.shedding.luxuries,
            ),
            status=self.status,
            health=Health(),
            meter=self.saving.meter,
            blindness=self.blindness,
            board=self.board,
            door=self.door,
            limits=Limits.of(settings.api, time.monotonic),
            uses=self.uses,
            proxies=settings.api.proxies,
            tls=self._tls,
            calendar_secret=site.kept_secret(settings.paths.var / "calendar-secret").encode(),
            title=settings.centre.title,
            clock=_now,
        )

    # ---------------------------------------------------------------- before it starts, and while it runs

    async def set_up(self) -> None:
        """Takes up what is stored, and what a new centre needs. Raises StoreAway."""
        settings = self._settings
        await self.centre.resume()
        await self.blindness.begin()
        await self.office.set_up(settings.call.queue, site.kept_secret(settings.paths.var / "admin-token"))
        books = await self.bookkeeper.books()
        phones = {operator.phone for operator in books.operators.values()}
        for reason in (
            *no_such_queue(settings.call.queue, books.queues, books.default_queue),
            *in_vain(self.rules, books.trunks, books.queues),
            *unreachable(settings.call.last_resort, books.trunks, phones),
        ):
            log.warning("setting_in_vain", extra={"reason": reason})

    def _hear(self, event: Message) -> None:
        self.journal.ring()
        self.advisor.hear(event)
        self.board.hear(event)
        if (call_id := announced(event)) is not None:
            self.blindness.announce(call_id)
        if (knock := knocking.heard(event)) is not None:
            self.banning.hear(knock)
        elif self.board.is_touched_by(event):
            self.keeper.touch()
        elif (voice := voices.heard(event, _now())) is not None:
            self.listening.hear(voice)
        elif (ring_id := self.switchboard.ring_that_failed(event)) is not None:
            self.watch.ring_failed(ring_id)
            self.callbacks.ring_failed(ring_id)

    async def _came_up(self) -> None:
        self.keeper.come_up()

    def _duty_changed(self, told: list[Told]) -> None:
        self.notices.take(told)
        self.keeper.touch()

    def _is_hearing(self) -> bool:
        return self.switchboard.is_seeing and self.is_read()

    def _listens_since(self) -> datetime | None:
        """By the clock of now: one that was put back since would have it begin in the time to come."""
        if self.link.state is not LinkState.UP or not self.switchboard.can_hear:
            return None
        return _now() - timedelta(seconds=time.monotonic() - self.link.since_s)

    def is_read(self) -> bool:
        """Whether the journal is read to its end: what it does not tell has not happened, or is on its way."""
        return self.journal.is_told and self.journal.is_drained and not self.journal.waits

    def _why_blind(self) -> tuple[Why, str] | None:
        if self.link.state is not LinkState.UP or not self.switchboard.is_seeing:
            return Why.ASTERISK, self.link.reason
        return (Why.STORE, self.journal.waits) if self.journal.waits else None

    def status(self) -> Status:
        """How it all stands now. It asks no disk but that of `paths.var`, without which nothing goes on anyhow."""
        settings = self._settings
        available, deserted = self._operators_there()
        return Status(
            asterisk_up=self.link.state is LinkState.UP,
            asterisk_reason=self.link.reason,
            asterisk_since=self.link.since,
            is_seeing=self.switchboard.is_seeing,
            journal_lag_bytes=self.journal.lag_bytes,
            journal_waits=self.journal.waits,
            journal_unread_bytes=self.journal.unread_bytes,
            free_bytes=self._free_bytes(),
            operators_available=available,
            deserted=deserted if available else {},
            version=__version__,
            started_at=self._started_at,
            sip_refused=self.board.refused_requests,
            sip_certificate_problem=self.certificate.problem(_now()),
            sip_certificate_ends_at=self.certificate.certificate.ends_at if self.certificate.certificate else None,
            sip_banned=self.banning.in_force,
            sip_bans_made=self.banning.banned,
            sip_bans_spared=self.banning.spared,
            advice_given=self.advisor.given,
            advice_missed=self.advisor.missed,
            advice_late=self.advising.late,
            advice_is_blind=self.advising.is_blind,
            advice_rule_faults=self.advising.faults,
            trunk_rules=self.rules,
            queue=settings.call.queue,
            last_resort=settings.call.last_resort,
            sip_host=settings.sip.host,
            recordings=self.evidence.standing,
            link_counts=asdict(self.link.counters),
            strain=self.shedding.strain,
            luxuries=self.shedding.luxuries(),
            overloaded_since=self.shedding.since,
        )

    def _operators_there(self) -> tuple[int | None, Mapping[str, tuple[str, ...]]]:
        """How many are there in all the queues that calls come to, and those of them where nobody is, with the trunks
        whose calls come there. None while nobody sees who is there: what the board showed last is old by then, and
        nothing before that."""
        books = self.bookkeeper.read_last
        if not self.switchboard.is_seeing or books is None:
            return None, {}
        trunks = books.trunks_by_queue({name: rule.queue for name, rule in self.rules.items()})
        there = {queue: self.board.phones_there(queue) for queue in trunks}
        deserted = {queue: trunks[queue] for queue, phones in there.items() if trunks[queue] and not phones}
        return len(frozenset().union(*there.values())), deserted

    def _free_bytes(self) -> dict[str, int]:
        """The space that is left where calls are written down, by the setting that names the place. That of the
        recordings is as `evidence.py` found it last, in a thread of its own: one that hangs holds nothing else up."""
        found, space = {"paths.var": shutil.disk_usage(self._settings.paths.var).free}, self.evidence.standing.space
        return found if space is None else found | {"paths.recordings": space.free_bytes}


def _now() -> datetime:
    return datetime.now(UTC)
