"""Who may do what: every operation of the API, asked in every role, against the one table."""

import re

import pytest

from gateway.api import application
from gateway.api.routes import Route
from gateway.domain.audit import CENTRE
from gateway.domain.tokens import MAY, Role, Token
from gateway.office import token_hash
from tests.api.house import START, House

GUARDED = [each for each in application.SUBJECTS if each.may is not None]


async def _status(house: House, each: Route, token: str | None) -> int:
    """What the operation answers where nothing but the path is given; of a stream only the beginning is read."""
    path = re.sub(r"\{id\}", "1", each.path).replace("{phone}", "999999").replace("{name}", "nowhere")
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with house.session.request(each.method, house.url(path), headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize("role", Role)
async def test_a_role_may_do_what_the_table_says_and_nothing_else(house: House, role: Role) -> None:
    siti = await house.post("/v1/operators", {"name": "Siti", "phone": "1001"})
    token = Token(
        name="somebody", role=role, operator_id=siti.json["id"], token_hash=token_hash("somebody"), created_at=START
    )
    await house.context.office.create(token, CENTRE)
    refused = {f"{each.method} {each.path}" for each in GUARDED if await _status(house, each, "somebody") == 403}
    assert refused == {f"{each.method} {each.path}" for each in GUARDED if each.may not in MAY[role]}


@pytest.mark.parametrize("token", [None, "wrong"])
async def test_nobody_gets_in_without_a_token(house: House, token: str | None) -> None:
    assert {await _status(house, each, token) for each in GUARDED} == {401}
