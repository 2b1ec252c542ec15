"""The matrix of rights: every operation of the running API's own document, with every kind of asker.

An operation that is new stands in the document by itself, and then must stand in `rights.txt`: it cannot be forgotten.
"""

import re
from datetime import UTC, datetime, timedelta

from gateway.api.openapi import EVERYBODY
from gateway.domain.tokens import Role
from tests.api.house import House
from tests.api.rights import as_lines, documented, reviewed

NOBODYS_ID = "999999"
REFUSED = {401, 403}


async def askers(house: House) -> dict[str, str | None]:
    """A token for each role, and each way not to have one. The operator's is that of operator 1."""
    siti = await house.post("/v1/operators", {"name": "Siti", "phone": "1001"})
    assert siti.json["id"] == 1

    async def made(name: str, **body: object) -> tuple[str, str]:
        reply = await house.post("/v1/tokens", {"name": name, "role": "admin", **body})
        return reply.headers["Location"], reply.json["token"]

    _, operators = await made("Siti", role="operator", operator_id=1)
    expiring, expired = await made("was here for a day", valid_days=1)
    retired_path, retired = await made("was here")
    rotated_path, rotated = await made("has another one")
    house.services.clock.at = datetime.now(UTC) + timedelta(days=1)
    await house.delete(retired_path)
    await house.post(f"{rotated_path}/rotate", {"overlap_h": 0}, headers={"If-Match": "*"})
    assert (await house.get(expiring)).status == 200
    return {
        Role.ADMIN: "admin",
        Role.SUPERVISOR: "supervisor",
        Role.OPERATOR: operators,
        Role.AUDITOR: "reader",
        "no token": None,
        "an unknown token": "x" * 32,
        "an expired token": expired,
        "a token that was taken back": retired,
        "a token that was rotated away": rotated,
    }


async def status_of(house: House, method: str, path: str, token: str | None) -> int:
    """The status of a request; of a stream only that. All else is held against the document, too."""
    if not path.endswith("/stream"):
        reply = await house.ask(method, path, token=token)
        if reply.status in REFUSED and method != "HEAD":
            assert reply.headers["WWW-Authenticate"].startswith('Bearer realm="gateway112"')
        return reply.status
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with house.session.request(method, house.url(path), headers=headers) as answer:
        return answer.status


async def test_the_table_that_people_have_looked_at_is_the_documents(house: House) -> None:
    told = documented((await house.get("/v1/openapi.json", token=None)).json)

    assert sorted(as_lines(reviewed())) == sorted(as_lines(told)), "tests/api/rights.txt is to be changed by hand"


async def test_every_asker_gets_what_the_table_says_from_every_operation(house: House) -> None:
    document = (await house.get("/v1/openapi.json", token=None)).json
    rights, tokens = reviewed(), await askers(house)
    wrong, asked = [], 0
    for method, path in documented(document):
        roles = rights[method, path]
        for asker, token in tokens.items():
            # an operator acts for himself, who must be there; nobody else's request finds anything that it would change
            own = asker == Role.OPERATOR and path.startswith("/v1/operators/")
            concrete = re.sub(r"{[a-z_]+}", "1" if own else NOBODYS_ID, path)
            for verb in (method, *(("HEAD",) if method == "GET" else ())):
                status = await status_of(house, verb, concrete, token)
                expected = 0 if asker in roles or roles == [EVERYBODY] else 403 if asker in set(Role) else 401
                asked += 1
                if (status if status in REFUSED else 0) != expected:
                    wrong.append(f"{verb} {path} with {asker}: {status}")

    assert wrong == []
    assert asked == len(tokens) * (len(rights) + sum(method == "GET" for method, _ in rights))
    assert asked > 1900


def test_the_table_holds_what_no_change_of_it_may_break() -> None:
    rights = reviewed()
    for (method, path), roles in rights.items():
        if roles == [EVERYBODY]:
            assert method == "GET", path
            continue
        assert Role.ADMIN in roles, path
        if path == "/v1/tokens/mine/rotate":
            assert roles == list(Role)
            continue
        # who looks after others' work does none of it, and who answers calls sets nothing up
        assert method == "GET" or Role.AUDITOR not in roles, path
        if path.startswith(("/v1/tokens", "/v1/webhooks")):
            assert roles == [Role.ADMIN], path
        if method in ("PATCH", "PUT", "DELETE"):
            assert Role.OPERATOR not in roles or path.endswith("/disposition"), path
    # an operator's own calendar is opened by the key in its address
    opened = {path for (_, path), roles in rights.items() if roles == [EVERYBODY]}
    pages = {"/", "/docs", "/board"}
    assert opened == {*pages, "/v1/health", "/v1/event-types", "/v1/openapi.json", "/v1/operators/{id}/roster.ics"}
