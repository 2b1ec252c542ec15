"""A running centre: one for all the stories of this folder, or one for a module alone; each test has operators of its
own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.centre import Api, RealCentre, real_centre


@pytest.fixture(scope="session")
def running_centre() -> Iterator[RealCentre]:
    with real_centre({"trunks.indosat": {"priority": 2}}) as centre:
        centre.start_asterisk()
        centre.start_gateway()
        yield centre


@pytest.fixture
async def centre(running_centre: RealCentre) -> RealCentre:
    await running_centre.ready()
    async with running_centre.api() as api:
        await api.retire_advice()  # the same numbers call again and again here
    return running_centre


@pytest.fixture
async def api(centre: RealCentre) -> AsyncIterator[Api]:
    """The API of the running centre; whoever the test hired is retired after it."""
    async with centre.api() as api:
        yield api
        await api.retire_everybody()


@pytest.fixture(scope="module")
def own_centre(request: pytest.FixtureRequest) -> Iterator[RealCentre]:
    """A centre for the module alone, with the settings that it names SETTINGS."""
    with real_centre(request.module.SETTINGS) as centre:
        centre.start_asterisk()
        centre.start_gateway()
        yield centre


@pytest.fixture
async def own_api(own_centre: RealCentre) -> AsyncIterator[Api]:
    """Its API; whoever the test hired is retired after it."""
    await own_centre.ready()
    async with own_centre.api() as api:
        yield api
        await api.retire_everybody()
