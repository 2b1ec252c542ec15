"""A shelf that is an S3-compatible bucket (settings, `[vault]`): names in it are the same as in the recordings' folder.

Counterparts: `shelf.py` says what a shelf does, `moving.py` brings sound from the disk to here and back, obstore speaks
S3.
A put is whole or not there at all (S3 shows no half object). What is put is read back before it counts.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from gateway.ports import ALL, Part
from gateway.settings import VaultSettings
from gateway.vault import bucket_faults
from gateway.vault.folders import LeavesTheVault
from gateway.vault.plain_files import open_plain
from gateway.vault.shelf import FileUnreadable, Lying, NotThere, ShelfAway, is_sound_of

if TYPE_CHECKING:
    from obstore.store import S3Config

CONNECT_S = 5.0
ANSWER_S = 8.0
"""For all that somebody waits for: a look, a range that is heard, a deletion."""
PART_S = 60.0
"""For one part of a file on its way there or back, over a slow line: 5 MiB in a minute are 0.7 Mbit/s."""
PART_BYTES = 5 * 1024 * 1024
"""The smallest part that S3 takes."""
PARTS_AT_ONCE = 2
MORE_TRIES = 2
READ_BACK_BYTES = 4 * 1024 * 1024

Value = TypeVar("Value")


class BucketShelf:
    """The bucket. Each call blocks, has a time limit, is tried three times at most, and raises ShelfAway with what is
    wrong, which setting it hangs on and what to do."""

    def __init__(self, settings: VaultSettings, *, answer_s: float = ANSWER_S, part_s: float = PART_S) -> None:
        self._bucket, self._place = settings.bucket, settings.place
        with _settings_alone():
            self._quick = _store(settings, answer_s)
            self._patient = _store(settings, part_s)

    def put(self, name: str, file: Path) -> None:
        """Takes the file in, whole or not at all. It is deleted from the disk only when the bucket's copy was read back
        and is the same; else it stays where it is. Raises ShelfAway."""
        self.copy(name, file, file.parent)
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise ShelfAway(f"{file} is in the bucket, and cannot be deleted here: {error.strerror}") from error

    def copy(self, name: str, file: Path, root: Path) -> None:
        """As `put`, but the file stays. No link on the way from `root` to it is followed. What has the name already is
        replaced. Raises ShelfAway."""
        size_bytes, sha256 = self.send(name, file, root)
        self.check(name, size_bytes, sha256)

    def send(self, name: str, file: Path, root: Path) -> tuple[int, str]:
        """As `copy`, without reading it back. Returns its size and SHA-256. Raises ShelfAway; FileUnreadable where the
        disk does not give it, or it is a link or a pipe."""
        try:
            with os.fdopen(open_plain(file, root), "rb") as source:
                sha256 = hashlib.file_digest(source, "sha256").hexdigest()
                size_bytes = source.tell()
                source.seek(0)
                self._send(_key(name), source, size_bytes)
        except OSError as error:
            raise FileUnreadable(f"{file} cannot be read: {error.strerror or error}") from error
        return size_bytes, sha256

    def _send(self, key: str, source: IO[bytes], size_bytes: int) -> None:
        try:
            self._ask(
                lambda: obstore.put(
                    self._patient,
                    key,
                    source,
                    use_multipart=size_bytes > PART_BYTES,
                    chunk_size=PART_BYTES,
                    max_concurrency=PARTS_AT_ONCE,
                )
            )
        except FileNotFoundError as error:  # the bucket's answer, not the disk's
            raise ShelfAway(bucket_faults.in_words(str(error), self._bucket, self._place)) from None

    def check(self, name: str, size_bytes: int, sha256: str) -> None:
        """Reads the file back. Raises ShelfAway where it is not of that size and that SHA-256."""
        there = self.size_bytes(name)
        if there != size_bytes:
            raise ShelfAway(f"{self._bucket} has {there} bytes of {name} where {size_bytes} were put")
        digest = hashlib.sha256()
        try:
            for start in range(0, size_bytes, READ_BACK_BYTES):
                digest.update(self.fetch(name, start, min(start + READ_BACK_BYTES, size_bytes)))
        except NotThere as error:
            raise ShelfAway(str(error)) from error
        if digest.hexdigest() != sha256:
            raise ShelfAway(f"{self._bucket} gives back other bytes of {name} than were put")

    def size_bytes(self, name: str) -> int | None:
        found = self._head(name)
        return None if found is None else found["size"]

    def version(self, name: str) -> str | None:
        found = self._head(name)
        return None if found is None else f"{found['e_tag']}-{found['last_modified'].isoformat()}-{found['size']}"

    def is_near(self, _name: str) -> bool:
        return False

    def _head(self, name: str) -> "obstore.ObjectMeta | None":
        key = _key(name)
        try:
            return self._ask(lambda: obstore.head(self._quick, key))
        except FileNotFoundError:
            self.look()  # an answer to HEAD has no words: it may be the bucket that is not there
            return None

    def read(self, name: str, start: int, stop: int) -> bytes:
        return self._read(self._quick, name, start, stop)

    def fetch(self, name: str, start: int, stop: int) -> bytes:
        """As `read`, for whom a slow line does not matter."""
        return self._read(self._patient, name, start, stop)

    def _read(self, store: S3Store, name: str, start: int, stop: int) -> bytes:
        key = _key(name)
        if stop <= start:
            return b""
        try:
            return self._ask(lambda: obstore.get_range(store, key, start=start, end=stop).to_bytes())
        except FileNotFoundError:
            raise NotThere(f"{name} is not in {self._bucket}") from None
        except _PastTheEnd:
            return b""

    def delete(self, name: str) -> None:
        """Deletes it, and looks whether it is gone. In a bucket that keeps versions the old ones stay: such a bucket is
        not for this (docs/operations.md)."""
        key = _key(name)
        try:
            self._ask(lambda: obstore.delete(self._quick, key))
        except FileNotFoundError:
            self.look()
        if self.size_bytes(name) is not None:
            raise ShelfAway(f"{self._bucket} still has {name} after it was deleted")

    def lying(self, folder: str, part: Part = ALL) -> Iterator[Lying]:
        for each in self.everything(folder, part.after):
            if is_sound_of(part, PurePosixPath(each.name).name):
                yield each

    def everything(self, folder: str, after: str = "") -> Iterator[Lying]:
        """All that lies in a day's folder, by name, from behind that one on: manifests, waveforms and chains too."""
        key, offset = _key(folder), _key(f"{folder}/{after}") if after else None
        pages = self._ask(lambda: obstore.list(self._quick, key, offset=offset, chunk_size=1000))
        while page := self._ask(lambda: next(pages, None)):
            for each in page:
                yield Lying(each["path"], each["size"], each["last_modified"])

    def look(self) -> None:
        """Whether the bucket is there, and may be listed. Raises ShelfAway."""
        self._ask(lambda: next(obstore.list(self._quick, "0000", chunk_size=1), None))

    def _ask(self, question: Callable[[], Value]) -> Value:
        """What the bucket answers. Raises FileNotFoundError where it has no such file, else ShelfAway."""
        try:
            return question()
        except FileNotFoundError as error:
            if not bucket_faults.says_no_bucket(str(error)):
                raise
            raise ShelfAway(bucket_faults.in_words(str(error), self._bucket, self._place)) from None
        except (BaseError, ValueError) as error:
            if bucket_faults.says_past_the_end(str(error)):
                raise _PastTheEnd from None
            # without its cause: the library's text is long, and is told in words here
            raise ShelfAway(bucket_faults.in_words(str(error), self._bucket, self._place)) from None


class _PastTheEnd(Exception):
    """The range begins past the end of the file."""


@contextmanager
def _settings_alone() -> Iterator[None]:
    """The library reads AWS_… variables, too: those of whoever starts the gateway are not the centre's settings."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AWS_")}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _store(settings: VaultSettings, limit_s: float) -> S3Store:
    bucket, _, prefix = settings.bucket.removeprefix("s3://").partition("/")
    limit = timedelta(seconds=limit_s)
    config: S3Config = {
        "access_key_id": settings.access_key,
        "secret_access_key": settings.secret.get_secret_value(),
        "region": settings.region,
        "disable_bulk_delete": True,  # one by one: not every S3 server knows the other way
        "skip_signature": False,
    }
    if settings.endpoint:
        config["endpoint"] = settings.endpoint
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,
        client_options={
            "allow_http": settings.endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=min(CONNECT_S, limit_s)),
            "timeout": limit,
        },
        retry_config={
            "max_retries": MORE_TRIES,
            "retry_timeout": limit,  # after that long nothing is tried again
            "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=2), "base": 2},
        },
    )


def _key(name: str) -> str:
    """The name as a key. Raises LeavesTheVault."""
    parts = name.split("/")
    if not name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise LeavesTheVault(f"{name!r} does not lie in the recordings' folder")
    return name
