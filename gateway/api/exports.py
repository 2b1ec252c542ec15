"""Handing recordings out: the police gets calls as a zip with all that it takes to check them without this software.

Counterparts: `export_pages.py` has the words, `gateway/vault/bundle.py` makes the zip while it is sent.
"""

import asyncio
import collections
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC
from pathlib import Path
from typing import Annotated, Protocol

from aiohttp import hdrs, web
from pydantic import Field, StringConstraints

from gateway.api import export_pages
from gateway.api.context import Context
from gateway.api.export_pages import Export, Exported
from gateway.api.models import PRINTABLE, Body, CallModel, Word
from gateway.api.problems import Problem, conflict
from gateway.api.retention import Reason
from gateway.api.routes import route
from gateway.api.tracks import callbacks_of
from gateway.domain.audit import Actor, Deed
from gateway.domain.call import Call
from gateway.domain.recordings import Recording, State
from gateway.domain.tokens import May
from gateway.vault import bundle
from gateway.vault.box import Unopenable
from gateway.vault.bundle import Part
from gateway.vault.chain import CHAIN, FILES, HEAD, SIGNATURE
from gateway.vault.folders import MANIFEST, LeavesTheVault, inside
from gateway.vault.keys import KeyMissing
from gateway.vault.plain_files import read_plain
from gateway.vault.recordings import NoRecording
from gateway.vault.shelf import FileUnreadable, ShelfAway

log = logging.getLogger(__name__)

CALLS_AT_MOST = 100
EVENTS_AT_MOST = 2000
"""Of one call; the page says where there are more."""
AT_ONCE = 2
DAMAGED = "Damaged-Recordings"
"""The header of an answer that says how many recordings in it are not as they were sealed, or cannot be read."""
UNREADABLE = (NoRecording, KeyMissing, Unopenable, FileUnreadable)
"""What a sealed sound may raise that is not there, or cannot be read or decrypted; each with the reason in plain
words."""
CHAIN_TRIES, CHAIN_PAUSE_S = 5, 0.05
"""The vault takes a moment to put a new line, its head and its signature in their places."""
WRITE_TIMEOUT_S = 30.0


class Changed(Exception):
    """What lies there is not what was sealed; the message says what, in plain words."""


class Sound(Protocol):
    """Stored sound, as whoever hears it gets it."""

    @property
    def size_bytes(self) -> int: ...
    def read(self, start: int, stop: int) -> bytes:
        """The bytes [start, stop). Blocking."""


@dataclass(frozen=True, slots=True)
class Source:
    """What an export needs of the vault: the recordings' folder, a recording's sound (raises where there is none; may
    block), the signature of what is handed out, which of the centre's keys has signed something (its public half; None
    for none), and the public half of the one that signs now."""

    root: Path
    open: Callable[[Recording], Sound]
    sign: Callable[[bytes], bytes]
    signed_by: Callable[[bytes, bytes], bytes | None]
    public_pem: Callable[[], bytes]
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


class NewExport(Body):
    calls: Annotated[
        tuple[Word, ...], Field(min_length=1, max_length=CALLS_AT_MOST, description="The ids of the calls.")
    ]
    reason: Reason
    recipient: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=PRINTABLE),
        Field(description="Who gets it: name, rank, office."),
    ]


async def export_calls(context: Context, body: NewExport, actor: Actor, request: web.Request) -> web.StreamResponse:
    """Calls with their sound, history, manifests and signatures, to be checked with sha256sum and openssl alone; the
    page inside says how. Who handed what to whom, and why, stands in the audit log before the first byte is sent."""
    if context.export_source.turns.locked():
        raise Problem(503, f"{AT_ONCE} exports are being made already.", headers={"Retry-After": "10"})
    async with context.export_source.turns:
        export = await _gather(context, body, actor)
        try:
            export = await asyncio.to_thread(_checked, context.export_source, export)
        except ShelfAway as error:
            raise Problem(503, f"{error}.", headers={"Retry-After": "60"}) from error
        await context.office.log([_deed(export, each, actor) for each in export.calls])
        return await _send(context, request, export)


async def _gather(context: Context, body: NewExport, actor: Actor) -> Export:
    """All that is told of the calls. Raises Problem where one of them is not there."""
    calls = []
    for place, call_id in enumerate(dict.fromkeys(body.calls)):
        call = await context.reads.call(call_id)
        if call is None:
            raise conflict(f"/calls/{body.calls.index(call_id)}", f"there is no call {call_id}")
        calls.append(await _exported(context, call, place + 1))
    return Export(
        at=context.clock(),
        zone=context.bookkeeper.zone,
        by=actor.name,
        reason=body.reason,
        recipient=body.recipient,
        calls=tuple(calls),
    )


async def _exported(context: Context, call: Call, place: int) -> Exported:
    events = await context.reads.events(0, EVENTS_AT_MOST + 1, call.id)
    said = (await context.reads.dispositions.of_calls([call.id])).get(call.id)
    recordings = await context.custody.recordings_of((call.id,), await callbacks_of(context, call))
    name = f"{place:03}_{bundle.word(call.id)}"
    shown = tuple(stored.event for stored in events[:EVENTS_AT_MOST])
    return Exported(name, call, said, shown, tuple(recordings), is_cut=len(events) > EVENTS_AT_MOST)


def _checked(source: Source, export: Export) -> Export:
    """The export, with what of it cannot be read, or is not as it was sealed: the pages say so, and the rest is handed
    out. All of it is read once before anything is sent. Blocking."""
    missing: dict[str, str] = {}
    damaged: dict[str, str] = {}
    left_out: set[str] = set()
    chains: dict[str, bytes] = {}
    for recording in export.recordings:
        if recording.state not in export_pages.ENDINGS:
            continue
        folder = export_pages.folder_of(recording)
        if folder not in chains:
            chains[folder] = _chain(source, folder).get(CHAIN, b"")
        faults = []
        if recording.state is State.SEALED:
            try:
                collections.deque(_sound(source, recording)(), maxlen=0)
            except Changed as error:
                faults.append(str(error))
                left_out.add(export_pages.sound_of(recording))
            except UNREADABLE as error:
                missing[recording.id] = str(error)
                left_out.add(export_pages.sound_of(recording))
        for ending in export_pages.ENDINGS[recording.state]:
            if (
                ending == MANIFEST
                and recording.seal is None
                and not (source.root / folder / f"{recording.id}{ending}").exists()
            ):
                left_out.add(export_pages.paper_of(recording, ending))  # it was destroyed before it was sealed
                continue
            try:
                _paper(source, recording, ending, chains[folder])
            except Changed as error:
                faults.append(str(error))
                left_out.add(export_pages.paper_of(recording, ending))
        if faults:
            damaged[recording.id] = "; ".join(faults)
        if faults or recording.id in missing:
            told = {"call": recording.call_id, "recording": recording.id}
            log.warning(
                "export_of_damaged" if faults else "export_lacks_sound",
                extra=told | {"reason": damaged.get(recording.id) or missing[recording.id]},
            )
    return replace(export, missing=missing, damaged=damaged, left_out=frozenset(left_out))


def _paper(source: Source, recording: Recording, ending: str, chain: bytes) -> bytes:
    """A manifest or a certificate, as it was sealed. Blocking. Raises Changed where it is not that any more."""
    name, seal = f"{recording.id}{ending}", recording.seal
    try:
        data = read_plain(inside(source.root, f"{export_pages.folder_of(recording)}/{name}"), source.root)
    except (FileNotFoundError, NotADirectoryError):
        raise Changed(f"{name} is gone") from None
    except LeavesTheVault as error:
        raise Changed(str(error)) from error
    except OSError as error:
        raise Changed(f"{name} cannot be read: {error.strerror}") from error
    sha256 = hashlib.sha256(data).hexdigest()
    if ending == MANIFEST and seal is not None and sha256 != seal.manifest_sha256:
        raise Changed(f"{name} is not as it was sealed")
    if f'"file": "{name}", "sha256": "{sha256}"'.encode() not in chain:
        raise Changed(f"the chain of its day does not hold {name} as it is")
    return data


def _deed(export: Export, each: Exported, actor: Actor) -> Deed:
    recordings = [own.id for own in each.recordings if own.state is State.SEALED and own.id not in export.faulty]
    told: dict[str, object] = {"recipient": export.recipient, "reason": export.reason, "recordings": recordings}
    if faulty := {own.id: export.faulty[own.id] for own in each.recordings if own.id in export.faulty}:
        told["not_as_sealed"] = faulty
    return Deed(
        export.at,
        actor,
        "recording.exported",
        subject=f"call/{each.call.id}",
        data=told,
        note=f"for {export.recipient}: {export.reason}",
        call_id=each.call.id,
        became=told,
    )


async def _send(context: Context, request: web.Request, export: Export) -> web.StreamResponse:
    name = f"112-{export.at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    response = web.StreamResponse(
        headers={
            hdrs.CONTENT_TYPE: "application/zip",
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}.zip"',
            **({DAMAGED: str(len(export.faulty))} if export.faulty else {}),
        }
    )
    await response.prepare(request)
    source = context.export_source
    made = bundle.pieces(name, _parts(source, export), export.at, source.sign)
    try:
        while (piece := await asyncio.to_thread(next, made, None)) is not None:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await response.write(piece)
    except ConnectionResetError:
        log.debug("export_left")
    except (*UNREADABLE, Changed, ShelfAway, OSError, TimeoutError) as error:
        log.warning("export_cut", extra={"reason": str(error) or "the receiver does not read"})
        if request.transport is not None:
            request.transport.abort()
    finally:
        await asyncio.to_thread(made.close)
    return response


def _parts(source: Source, export: Export) -> Iterator[Part]:
    """The files of the bundle, in their order; each is read when its turn comes."""
    public = source.public_pem()
    yield bundle.of_bytes(export_pages.PUBLIC, public)
    folders = {export_pages.folder_of(own): None for own in export.recordings if own.state in export_pages.ENDINGS}
    chains = {folder: _chain(source, folder) for folder in folders}
    for recording in export.recordings:
        if recording.state is State.SEALED and export_pages.sound_of(recording) not in export.left_out:
            yield Part(export_pages.sound_of(recording), _sound(source, recording), is_large=True)
        for ending in export_pages.ENDINGS.get(recording.state, ()):
            name = export_pages.paper_of(recording, ending)
            if name not in export.left_out:
                chain = chains[export_pages.folder_of(recording)].get(CHAIN, b"")
                yield bundle.of_bytes(name, _paper(source, recording, ending, chain))
    signers = _signers(source, chains, public)
    for pem in sorted(set(signers.values())):
        yield bundle.of_bytes(export_pages.name_of_key(pem), pem)
    for folder, found in chains.items():
        for name, data in found.items():
            yield bundle.of_bytes(f"recordings/{folder}/{name}", data)
    for each in export.calls:
        yield bundle.of_bytes(f"calls/{each.name}.json", _json(export, each))
        yield bundle.of_bytes(f"calls/{each.name}.txt", export_pages.call_text(export, each).encode())
        yield bundle.of_bytes(f"calls/{each.name}.html", export_pages.call_html(export, each).encode())
    yield bundle.of_bytes("README.txt", export_pages.readme_text(export, public, signers).encode())
    yield bundle.of_bytes("README.html", export_pages.readme_html(export, public, signers).encode())


def _signers(source: Source, chains: Mapping[str, Mapping[str, bytes]], public: bytes) -> dict[str, bytes]:
    """The key that signed a day, as PEM, where it is one that the centre had before, by the day's folder."""
    found = {}
    for folder, files in chains.items():
        pem = source.signed_by(files[HEAD], files[SIGNATURE]) if len(files) == len(FILES) else None
        if pem is not None and pem != public:
            found[folder] = pem
    return found


def _sound(source: Source, recording: Recording) -> Callable[[], Iterator[bytes]]:
    """Its bytes, which are held against its seal: reading raises Changed where they are not those that were sealed, and
    what opening and reading raise."""

    def read() -> Iterator[bytes]:
        sound, digest = source.open(recording), hashlib.sha256()
        for start in range(0, sound.size_bytes, bundle.PIECE_BYTES):
            piece = sound.read(start, min(start + bundle.PIECE_BYTES, sound.size_bytes))
            if not piece:
                raise NoRecording("the recording became shorter")
            digest.update(piece)
            yield piece
        if recording.seal is None or digest.hexdigest() != recording.seal.sound_sha256:
            raise Changed("the sound is not as it was sealed")

    return read


def _chain(source: Source, folder: str) -> dict[str, bytes]:
    """The day's chain as it was signed last, while the vault may be adding to it. One that is not as it was signed is
    handed out as it is: whoever checks it shall see that."""
    for _ in range(CHAIN_TRIES):
        found = {name: data for name in FILES if (data := _read(source.root, f"{folder}/{name}")) is not None}
        if len(found) < len(FILES):
            break
        chain, head, signature = (found[name] for name in FILES)
        lines = chain.splitlines(keepends=True)[: _entries(head)]
        if source.signed_by(head, signature) and lines and hashlib.sha256(lines[-1]).hexdigest().encode() in head:
            return found | {CHAIN: b"".join(lines)}
        time.sleep(CHAIN_PAUSE_S)
    log.warning("export_of_unsigned_chain", extra={"folder": folder})
    return found


def _read(root: Path, name: str) -> bytes | None:
    """None where no plain file of that name can be read."""
    try:
        return read_plain(inside(root, name), root)
    except (OSError, LeavesTheVault):
        return None


def _entries(head: bytes) -> int:
    """How many lines the head speaks of; 0 where it does not say."""
    try:
        return int(json.loads(head)["entries"])
    except (ValueError, KeyError, TypeError):
        return 0


def _json(export: Export, each: Exported) -> bytes:
    told = {
        "call": CallModel.of(each.call, None, None, each.disposed).model_dump(mode="json"),
        "recordings": [_told(export, recording) for recording in each.recordings],
        "events": [{"at": event.at.isoformat(), "type": event.type, "data": dict(event.data)} for event in each.events],
    }
    return json.dumps(told, indent=2, ensure_ascii=False, default=str).encode() + b"\n"


def _told(export: Export, recording: Recording) -> dict[str, object]:
    """What is known of it; what is not as it was sealed is not told to be sealed."""
    fault = export.faulty.get(recording.id)
    return asdict(recording) if fault is None else asdict(recording) | {"state": "not as sealed", "fault": fault}


ROUTES = (
    route(
        "POST",
        "/v1/exports",
        export_calls,
        "Hand calls out, for the police",
        may=May.HAND_OUT,
        problems=(409,),
        media_type="application/zip",
    ),
)
