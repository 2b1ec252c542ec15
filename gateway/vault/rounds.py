"""What came of a round of moving sound to the bucket or back, as its worker leaves it for others to read.

Counterparts: `moving.py` writes it; the alarms, `/v1/health` and the doctor read it, without the bucket's library.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from gateway.ports import Moving
from gateway.settings import Settings
from gateway.vault.folders import write_whole

FILE = "bucket.json"


@dataclass(slots=True)
class Round:
    """What came of one round."""

    began_at: datetime
    moved: int = 0
    moved_bytes: int = 0
    waiting: int = 0
    """Sounds that were to be moved, and are still where they were."""
    problem: str | None = None
    """Why not, in plain words: the first that was found."""

    def stays(self, why: str) -> None:
        """That something was to be moved, and is still where it was."""
        self.waiting += 1
        self.problem = self.problem or why

    @classmethod
    def read(cls, settings: Settings) -> "Round | None":
        """The last one; None where there was none. Blocking: disk."""
        try:
            told = json.loads((settings.vault_dir / FILE).read_bytes())
            return cls(**told | {"began_at": datetime.fromisoformat(told["began_at"])})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        told = asdict(self) | {"began_at": self.began_at.isoformat()}
        write_whole(folder / FILE, json.dumps(told).encode())


def moving(settings: Settings) -> Moving | None:
    """How moving stands; None where no bucket is named, or before the first round. Blocking: disk."""
    last = Round.read(settings) if settings.vault.bucket else None
    return None if last is None else Moving(last.waiting, last.problem or "")
