"""Asterisk's logs for people: each is kept short, whatever is lost on the way to Asterisk."""

from pathlib import Path

from gateway.asterisk.errors import AsteriskSilent
from gateway.asterisk.logfiles import LogFiles


class Link:
    """Asterisk's logger, as the manager's link reaches it: it writes on into the file that it has open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_deaf = False
        self.rotations = 0
        self.open = (folder / "messages").open("ab", buffering=0)

    async def ask(self, action: str) -> None:
        if action == "LoggerRotate":
            self.rotations += 1
            if self.is_deaf:
                raise AsteriskSilent(action, 5.0)
            self.open.close()
            self.open = (self.folder / "messages").open("ab", buffering=0)


async def test_a_log_that_was_set_aside_and_is_written_on_into_is_opened_anew_at_the_next_look(tmp_path: Path) -> None:
    link = Link(tmp_path)
    files = LogFiles(link, tmp_path, limit_bytes=100)  # type: ignore[arg-type]
    link.open.write(b"x" * 200)
    link.is_deaf = True
    await files.look()
    link.open.write(b"x" * 200)
    assert (tmp_path / "messages.1").stat().st_size == 400, "it grows where nobody looks"
    link.is_deaf = False
    await files.look()
    link.open.write(b"x" * 50)
    await files.look()
    (tmp_path / "security.1").touch()  # of an older Asterisk's: this one writes no such file
    await files.look()
    await files.look()
    assert link.rotations == 3
    assert [(tmp_path / name).stat().st_size for name in ("messages", "messages.1")] == [50, 400]
    link.open.close()
