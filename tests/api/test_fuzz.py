"""The API against schemathesis: every operation of the OpenAPI document, with what fits it and what does not, by every
check that schemathesis has."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from gateway.api.courier import Pace
from gateway.domain.facts import CallerLeft, Side
from tests.api.house import START, House, answered, open_house

PROJECT = Path(__file__).parents[2]
LIMIT_S = 300


@pytest.mark.timeout(LIMIT_S + 30)
async def test_no_request_that_schemathesis_makes_of_the_document_finds_the_api_at_fault(tmp_path: Path) -> None:
    async with open_house(tmp_path, pace=Pace()) as house:
        await house.answered_call()
        await house.tell(*answered("112-1.2", caller="08999")[:-4], CallerLeft("112-1.2", START, 16, Side.CALLER))
        await _seed(house)
        text = await _ask(house, tmp_path)
    tested = re.search(r"Tested: (\d+)", text)
    assert tested is not None, text
    assert int(tested[1]) == sum(len(methods) for methods in house.document["paths"].values())


async def _ask(house: House, folder: Path) -> str:
    """What schemathesis says of it, which must be that all is well."""
    document = folder / "openapi.json"
    document.write_bytes((await house.get("/v1/openapi.json")).raw)
    asking = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("schemathesis"), "--config-file", PROJECT / "tests/api/schemathesis.toml"),
        *("run", document, "--url", house.url(""), "--checks", "all", "--phases", "examples,coverage,fuzzing,stateful"),
        *("--header", "Authorization: Bearer admin", "--suppress-health-check", "all", "--no-color"),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            said, _ = await asking.communicate()
    finally:
        if asking.returncode is None:
            asking.kill()
            await asking.wait()
    text = said.decode()
    assert asking.returncode == 0, text[-20_000:]
    return text


async def _seed(house: House) -> None:
    """One of each kind, so that a request that names the first one finds it."""
    for path, body in (
        ("/v1/operators", {"name": "Siti", "phone": "1001"}),
        ("/v1/shifts", {"name": "Pagi", "start": "06:00", "end": "14:00", "first_date": "2026-01-01"}),
        (
            "/v1/assignments",
            {
                **{"operator_id": 1, "shift_id": 1, "queue": "emergency"},
                **{"first_date": "2027-01-01", "last_date": "2027-12-31"},
            },
        ),
        ("/v1/absences", {"operator_id": 1, "from_at": "2028-01-01T00:00:00Z", "until_at": "2028-01-02T00:00:00Z"}),
        ("/v1/on-call", {"operator_id": 1, "place": 1}),
    ):
        made = await house.post(path, body)
        assert (made.status, made.json["id"]) == (201, 1), made.text
