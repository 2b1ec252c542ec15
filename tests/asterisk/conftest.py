"""A scripted peer of the AMI link's, and an ear for what the link hands on."""

from collections.abc import AsyncIterator

import pytest

from tests.asterisk.linked import Ear
from tests.asterisk.scripted_peer import ScriptedPeer


@pytest.fixture
async def peer() -> AsyncIterator[ScriptedPeer]:
    async with ScriptedPeer() as peer:
        yield peer


@pytest.fixture
def ear() -> Ear:
    return Ear()
