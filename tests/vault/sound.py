"""Raw sound as a call leaves it, and a vault in a folder of its own, for the tests of the vault.

Counterpart: `gateway/vault/`. The sound is real, and ffmpeg is.
"""

import array
import hashlib
import json
import math
import subprocess
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from gateway.domain.recordings import SAMPLE_RATE_HZ, Kind, Recording, State
from gateway.vault import manifest
from gateway.vault.certificates import Certificates
from gateway.vault.chain import Chains
from gateway.vault.destruction import Destroyer
from gateway.vault.findings import Finding
from gateway.vault.heads import Heads
from gateway.vault.keys import KeyRing, SigningKey, public_pems
from gateway.vault.sealing import Sealer
from gateway.vault.shelf import LocalShelf
from gateway.vault.sounds import Sounds
from gateway.vault.verify import Verifier

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
DAY = "2026/11/26"
CALLER_HZ, CENTRE_HZ = 440, 1000


def tones(seconds: float, *hz: float, level: int = 8000) -> bytes:
    """Raw sound with a tone in each channel."""
    frames = range(round(seconds * SAMPLE_RATE_HZ))
    return array.array(
        "h", (int(level * math.sin(2 * math.pi * each * n / SAMPLE_RATE_HZ)) for n in frames for each in hz)
    ).tobytes()


def two_tones(seconds: float = 1.0) -> bytes:
    return tones(seconds, CALLER_HZ, CENTRE_HZ)


def level_db(samples: "array.array[int]", hz: float) -> float:
    """How loud a tone is in the samples, in dB of full scale (Goertzel's sum, under a Hann window)."""
    count = len(samples)
    turn = 2 * math.pi * hz / SAMPLE_RATE_HZ
    real = imaginary = 0.0
    for n, sample in enumerate(samples):
        weighed = sample * (0.5 - 0.5 * math.cos(2 * math.pi * n / count))
        real += weighed * math.cos(turn * n)
        imaginary += weighed * math.sin(turn * n)
    return 20 * math.log10(max(1e-9, 4 * math.hypot(real, imaginary) / count / 32768))


def sha256_of(sounds: Sounds, recording: Recording) -> str:
    """Of a sealed recording's Ogg file as it is read now, wherever it lies."""
    sound = sounds.open(recording)
    return hashlib.sha256(sound.read(0, sound.size_bytes)).hexdigest()


def decoded(file: Path, channels: int = 2) -> "array.array[int]":
    """The samples of a stored file, as any player would hear them."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(file), "-f", "s16le", "-ar", "8000"]
    told = subprocess.run([*command, "-ac", str(channels), "pipe:1"], capture_output=True, check=True, timeout=20)
    return array.array("h", told.stdout)


@dataclass
class House:
    """A vault in a folder."""

    folder: Path
    is_encrypted: bool = False
    steps: list[str] = field(default_factory=list)
    now: datetime = NOON

    @property
    def root(self) -> Path:
        return self.folder / "recordings"

    @property
    def day(self) -> Path:
        return self.root / DAY

    @property
    def keys(self) -> Path:
        return self.folder / "var" / "vault"

    def __post_init__(self) -> None:
        self.day.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        """As after a start of the worker: nothing is remembered."""
        self.shelf = LocalShelf(self.root)
        self.signing = SigningKey(self.keys)
        self.ring = KeyRing(self.keys)
        self.chains = Chains(self.root, self.signing)
        self.certificates = Certificates(self.root, lambda: public_pems(self.keys))
        self.sealer = Sealer(
            self.root,
            shelf=self.shelf,
            chains=self.chains,
            key=self.signing,
            ring=self.ring if self.is_encrypted else None,
            clock=lambda: self.now,
            tell=self.steps.append,
        )
        self.destroyer = Destroyer(
            self.sealer, shelf=self.shelf, chains=self.chains, clock=lambda: self.now, tell=self.steps.append
        )

    def recording(self, number: int = 1, raw: bytes | None = None, **what: object) -> Recording:
        """A recording that is over, with its raw sound in the day's folder."""
        made = a_recording(number, **what)
        path = self.root / made.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(two_tones() if raw is None else raw)
        return made

    def recording_there(self) -> Recording:
        """The first recording, with the seal that its manifest has."""
        document = json.loads((self.day / f"{a_recording().id}.json").read_bytes())
        digest = hashlib.sha256((self.day / f"{a_recording().id}.json").read_bytes()).hexdigest()
        stored = f"{DAY}/{document['stored']['file']}"
        return replace(a_recording(), seal=manifest.sealed(document, stored, digest, 1).seal)

    def findings(self, since: date = date.min) -> list[Finding]:
        """What is not as it was left."""
        return self.verifier().verify(since).findings

    def verifier(self) -> Verifier:
        names = frozenset(self.ring.names) if (self.keys / "ring.json").exists() else frozenset()
        return Verifier(self.root, self.shelf, public_pems(self.keys), lambda: names, heads=Heads(self.keys))

    def sealed(self, number: int = 1, raw: bytes | None = None, **what: object) -> Recording:
        """One that is sealed, with its raw sound discarded."""
        made = self.recording(number, raw, **what)
        sealed = replace(made, seal=self.sealer.seal(made).seal, state=State.SEALED)
        self.sealer.discard_raw(sealed)
        return sealed


def a_recording(number: int = 1, *, kind: Kind = Kind.CALL, day: str = DAY) -> Recording:
    name = f"112-1795600000.{number}" + ("-1-message" if kind is Kind.MESSAGE else "")
    return Recording(
        id=name,
        kind=kind,
        file=f"{day}/{name}.{'sln' if kind is Kind.MESSAGE else 'raw'}",
        started_at=NOON - timedelta(minutes=5),
        call_id=f"112-1795600000.{number}",
        state=State.OVER,
        ended_at=NOON - timedelta(minutes=4),
        expected_s=1.0,
    )
