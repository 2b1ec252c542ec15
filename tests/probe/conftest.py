"""A whole centre for the probe and the doctor: with a greeting, as a caller would hear it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import Settings, load
from tests.centre import RealCentre, real_centre
from tests.sip import free_port


@pytest.fixture(scope="session")
def greeting_centre() -> Iterator[RealCentre]:
    with real_centre({"call": {"greeting": "greeting"}}) as centre:
        centre.start_asterisk()
        centre.start_gateway()
        yield centre


@pytest.fixture
async def centre(greeting_centre: RealCentre) -> RealCentre:
    await greeting_centre.ready()
    return greeting_centre


@pytest.fixture
def nowhere(tmp_path: Path) -> Settings:
    """The settings of a centre that was never started, on ports where nobody listens."""
    file = tmp_path / "gateway.toml"
    file.write_text("".join(f"[{section}]\nport = {free_port()}\n" for section in ("sip", "ami", "api")))
    return load(file, {})
