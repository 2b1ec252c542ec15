"""Builds the Dockerfile with buildah, without a Docker engine, and starts what is in it.

Its counterpart is the Dockerfile. The base image is made on the spot by mmdebstrap and given the name that the
Dockerfile asks for, so the test needs a Debian mirror but no image registry.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.sip import free_port

PROJECT = Path(__file__).resolve().parents[2]
BASE = "docker.io/library/debian:forky-slim"
NEEDED = ("buildah", "mmdebstrap")
MISSING = [program for program in NEEDED if shutil.which(program) is None]

pytestmark = [
    pytest.mark.container,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="buildah's chroot isolation needs root"),
]


@dataclass(frozen=True, slots=True)
class Buildah:
    """buildah on a storage of its own, which is gone after the tests: nothing of the user's images is touched."""

    storage: Path

    def command(self, *arguments: str) -> list[str]:
        """The argv of one call of buildah; for a test that keeps a container running."""
        return ["buildah", f"--root={self.storage}/root", f"--runroot={self.storage}/run", *arguments]

    def __call__(self, *arguments: str, timeout_s: float = 120) -> str:
        """What buildah printed on its standard output. Fails the test with the end of both outputs."""
        return run(self.command(*arguments), timeout_s=timeout_s)


def run(command: list[str], *, timeout_s: float) -> str:
    environment = os.environ | {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, env=environment)
    if done.returncode != 0:
        said = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{said}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    storage = tmp_path_factory.mktemp("buildah")
    yield Buildah(storage)
    shutil.rmtree(storage)


@pytest.fixture(scope="module")
def base(buildah: Buildah, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Dockerfile's base image, made from Debian's own packages."""
    archive = tmp_path_factory.mktemp("base") / "base.tar"
    stale_ok = '--aptopt=Acquire::Check-Valid-Until "false"'
    run(["mmdebstrap", "--variant=minbase", stale_ok, "forky", str(archive)], timeout_s=300)
    container = buildah("from", "--pull=never", "scratch").strip()
    buildah("add", container, str(archive), "/")
    buildah("commit", "--rm", container, BASE)
    archive.unlink()
    return BASE


@pytest.fixture(scope="module")
def container(buildah: Buildah, base: str) -> str:
    """The name of a container made from the Dockerfile's image."""
    authorities = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    inspected = (f"--volume={authorities}:/run/authorities.crt:ro", "--build-arg=PIP_CERT=/run/authorities.crt")
    buildah(
        "build",
        "--pull=never",
        "--layers=false",
        "--format=docker",
        *(inspected if authorities else ()),
        "--tag=gateway112",
        str(PROJECT),
        timeout_s=600,
    )
    return buildah("from", "--pull=never", "gateway112").strip()


def test_the_image_starts_the_gateway_as_a_user_of_its_own(buildah: Buildah, container: str) -> None:
    assert buildah("run", container, "--", "gateway112", "--version").startswith("gateway112 ")
    assert buildah("run", container, "--", "id", "--user", "--name").strip() == "gateway112"


def test_the_image_carries_asterisk_22_and_its_prompts(buildah: Buildah, container: str) -> None:
    assert buildah("run", container, "--", "asterisk", "-V").startswith("Asterisk 22.")
    spoken = buildah("run", container, "--", "ls", "/srv/gateway112/var/prompts/id/").split()
    assert "greeting.sln" in spoken
    played = buildah("run", container, "--", "ls", "/srv/gateway112/var/music/tenang/").split()
    assert "1-nada.sln" in played


def test_the_gateway_of_the_image_serves_its_api(buildah: Buildah, container: str) -> None:
    """Without an Asterisk beside it: it says so, and the rest of it is there."""
    port = free_port()
    settings = [f"--env=GATEWAY112_API_PORT={port}", f"--env=GATEWAY112_AMI_PORT={free_port()}"]
    command = buildah.command("run", *settings, container, "--", "gateway112", "serve")
    environment = os.environ | {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True) as gateway:
        try:
            health = answer(f"http://127.0.0.1:{port}/v1/health")
        finally:
            os.killpg(gateway.pid, signal.SIGTERM)
    assert health["database"]["up"] is True
    assert health["asterisk"]["up"] is False
    with socket.socket() as gone:
        assert gone.connect_ex(("127.0.0.1", port)) != 0


def answer(url: str) -> dict[str, Any]:
    """The JSON at `url`, whatever its status, once somebody answers there."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return json.load(response)
        except urllib.error.HTTPError as told:
            return json.load(told)
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"nobody answers at {url}")
