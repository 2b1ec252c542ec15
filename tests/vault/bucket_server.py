"""A real S3 server for the tests: SeaweedFS, a process of its own on loopback, with keys that it checks (SigV4).

Counterpart: `gateway/vault/bucket.py`. `make test` fetches it (setup/seaweedfs.sh); where it cannot be had, the tests
that need it are skipped and say so.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

from gateway.settings import PROJECT

WEED = PROJECT / "var/seaweedfs/bin/weed"
REMEDY = "SeaweedFS is not here: `make test` fetches it, or: setup/seaweedfs.sh"
HOST = "127.0.0.1"
START_LIMIT_S = 40.0
STOP_LIMIT_S = 15.0
BUCKET = "sound"
VOLUME_MB = 2
"""The server sets aside space in pieces of this size, and stops writing to one that has become larger."""

ACCESS_KEY, SECRET = "gateway112", "a-secret-of-the-tests-own"
READER, READER_SECRET = "reader", "another-secret-of-the-tests"


class BucketServer:
    """SeaweedFS: master, volume, filer and S3 in one process. What it stores outlives `kill` and `start`."""

    def __init__(self, folder: Path, volumes: int) -> None:
        self._folder = folder
        self._volumes = volumes
        self._has_bucket = False
        self._process: subprocess.Popen[bytes] | None = None
        names = ("master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "s3", "s3.grpc")
        self._ports = dict(zip(names, _free_ports(len(names)), strict=True))
        people = [
            (ACCESS_KEY, SECRET, ["Read", "Write", "List"]),
            (READER, READER_SECRET, [f"Read:{BUCKET}", f"List:{BUCKET}"]),
        ]
        identities = [
            {"name": key, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}
            for key, secret, actions in people
        ]
        (folder / "s3.json").write_text(json.dumps({"identities": identities}))
        (folder / "data").mkdir()

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self._ports['s3']}"

    def start(self) -> None:
        """Returns when it answers; with a bucket, when it stores what it is given."""
        log = (self._folder / "server.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [
                    # it dies with the tests, even when they are killed
                    *("setpriv", "--pdeathsig", "KILL", str(WEED), f"-logdir={self._folder}", "server"),
                    *("-s3", f"-dir={self._folder / 'data'}", f"-ip={HOST}", f"-ip.bind={HOST}"),
                    *(
                        f"-{name.partition('.')[0]}.port{'.grpc' if '.' in name else ''}={port}"
                        for name, port in self._ports.items()
                    ),
                    *(f"-master.volumeSizeLimitMB={VOLUME_MB}", f"-volume.max={self._volumes}"),
                    # nobody outside is told anything
                    *(
                        "-master.telemetry=false",
                        "-master.resumeState=false",
                        "-master.electionTimeout=1s",
                        "-volume.minFreeSpace=1MiB",
                        "-volume.preStopSeconds=0",
                    ),
                    *(f"-s3.config={self._folder / 's3.json'}", "-s3.iam=false", "-s3.autoCreateBucket=false"),
                    *("-s3.port.iceberg=0", "-s3.port.lance=0"),
                    *(
                        f"-filer.localSocket={self._folder / 'filer.sock'}",
                        f"-s3.localSocket={self._folder / 's3.sock'}",
                    ),
                ],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait(self._process)
        if self._has_bucket:
            self._try_to_store()

    def make_bucket(self) -> None:
        said = self._shell(f"s3.bucket.create -name {BUCKET}")
        assert f"created bucket {BUCKET}" in said, said
        self._has_bucket = True
        self._try_to_store()

    def _try_to_store(self) -> None:
        """Its parts find each other one after the other."""
        store = S3Store(
            BUCKET,
            config={"endpoint": self.endpoint, "access_key_id": ACCESS_KEY, "secret_access_key": SECRET},
            client_options={"allow_http": True, "timeout": timedelta(seconds=2)},
            retry_config={"max_retries": 0},
        )
        end = time.monotonic() + START_LIMIT_S
        while True:
            try:
                obstore.put(store, "ready", b"is it?")
                return
            except BaseError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def make_room(self) -> None:
        """Starts it again with more space."""
        self.kill()
        self._volumes += 10
        self.start()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_LIMIT_S
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self._ports["s3"]), 1):
                return
            time.sleep(0.05)
        raise RuntimeError("SeaweedFS did not start:\n" + (self._folder / "server.log").read_text()[-4000:])

    def _shell(self, command: str) -> str:
        """What SeaweedFS's own shell says to a command of its admin."""
        ended = subprocess.run(
            [str(WEED), "shell", f"-master={HOST}:{self._ports['master']}.{self._ports['master.grpc']}"],
            input=f"{command}\n",
            capture_output=True,
            text=True,
            timeout=START_LIMIT_S,
            check=False,
        )
        return ended.stdout + ended.stderr

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        if self._process:
            self._process.wait(STOP_LIMIT_S)
            self._process = None

    def stored_bytes(self) -> int:
        """How much lies on its disk, half objects and all."""
        return sum(file.stat().st_size for file in (self._folder / "data").glob("*.dat"))

    def pause(self) -> None:
        """It takes connections from now on (the kernel does), and says nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def remove_sockets(self) -> None:
        """It puts some of them beside what it was told, and leaves them there."""
        for kind in ("master", "volume", "filer", "s3"):
            Path(f"/tmp/seaweedfs-{kind}-grpc-{self._ports[f'{kind}.grpc']}.sock").unlink(missing_ok=True)

    def _signal(self, number: int) -> None:
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, number)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        lines = [held.enter_context(socket.socket()) for _ in range(count)]
        for line in lines:
            line.bind((HOST, 0))
        return [line.getsockname()[1] for line in lines]


@pytest.fixture(scope="session")
def s3() -> Iterator[BucketServer]:
    """The session's S3 server, with an empty bucket."""
    with running() as server:
        yield server


@contextmanager
def running(volumes: int = 12) -> Iterator[BucketServer]:
    """A server with an empty bucket. `volumes` of VOLUME_MB each are all the space that it has."""
    if not WEED.exists():
        pytest.skip(REMEDY)
    folder = Path(tempfile.mkdtemp(prefix="gateway112-s3-", dir="/tmp"))
    server = BucketServer(folder, volumes)
    try:
        server.start()
        server.make_bucket()
        yield server
    finally:
        server.resume()
        server.kill()
        server.remove_sockets()
        shutil.rmtree(folder, ignore_errors=True)
