"""`gateway112 token …`, `audit` and `webhook …`: who may ask, who did what, and who is told."""

import sqlite3

import pytest

from tests.api.house import House, until
from tests.api.receiver import receiving
from tests.cli.typed import Typed


async def test_a_token_is_shown_once_and_opens_what_its_role_may(
    house: House, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await typed.good("token create", "Dewi Lestari", "supervisor")
    secret = said.out.split("\n\n")[1].strip()

    listed = await typed.good("token list")
    monkeypatch.setenv("GATEWAY112_TOKEN", secret)
    may, may_not = await typed("shift add morning 06:00 14:00"), await typed("token list")

    assert said.out.startswith("Dewi Lestari may ask the API as supervisor, with this token:")
    assert secret not in listed.out
    assert listed.row("Dewi Lestari")[:3] == ["Dewi", "Lestari", "supervisor"]
    assert may.status == 0
    assert may_not.status == 1
    assert "has the role supervisor, which may not make and take back tokens. Remedy:" in may_not.err


async def test_a_token_is_rotated_and_its_list_tells_until_when_it_is_valid_and_when_it_was_used(typed: Typed) -> None:
    made = await typed.good("token create CAD auditor --days 30 --json")
    said = await typed.good("token rotate CAD --overlap 2")
    secret = said.out.split("\n\n")[1].strip()

    by_both = [await typed("alarms --token", each) for each in (made.json["token"], secret)]
    await typed.good("token rotate CAD --overlap 0 --days 400")
    by_none = [await typed("alarms --token", each) for each in (made.json["token"], secret)]
    row = (await typed.good("token list")).words

    assert said.out.startswith("The token of CAD until ")
    assert "It expires " in said.words
    assert [each.status for each in by_both] == [0, 0]
    assert [each.status for each in by_none] == [1, 1]
    assert "Expires" in row
    assert "never" in row, "the admin's own"


async def test_an_operators_token_names_the_operator_by_phone(typed: Typed) -> None:
    await typed.good("operator add Siti 1001")

    without = await typed("token create Siti operator")
    await typed.good("token create Siti operator --operator 1001")

    assert without.status == 1
    assert "  operator_id: is needed" in without.err
    assert (await typed.good("token list")).row("Siti")[:3] == ["Siti", "operator", "1001"]


async def test_a_retired_token_opens_nothing(typed: Typed) -> None:
    made = await typed.good("token create Dewi auditor --json")

    said = await typed.good("token retire Dewi")
    after = await typed("alarms --token", made.json["token"])

    assert said.out == "The token of Dewi opens nothing any more.\n"
    assert after.status == 1
    assert "does not take the token of the option --token" in after.err


async def test_the_audit_log_tells_the_newest_last_and_what_was_changed(typed: Typed) -> None:
    await typed.good("operator add Siti 1001")
    await typed.good("queue set emergency minimum=2")

    all_of_it, newest = await typed.good("audit"), await typed.good("audit --last 1")

    assert "Siti" in all_of_it.words
    assert "queue.changed" not in all_of_it.out.splitlines()[0]
    rows = newest.out.splitlines()
    assert rows[0].startswith("Audit log, the newest 1 ")
    assert "minimum: 1 → 2" in " ".join(newest.out.split())
    assert "operator.created" not in newest.out


@pytest.mark.parametrize("last", [1, 2, 3, 7, 50])
async def test_as_many_entries_are_told_as_were_asked_for(typed: Typed, last: int) -> None:
    every = (await typed.good("audit --json --last 1000")).json["items"]

    told = (await typed.good(f"audit --json --last {last}")).json["items"]

    assert [each["seq"] for each in every] == list(range(1, len(every) + 1))
    assert told == every[-last:]


async def test_the_audit_log_is_told_by_who_did_it_and_by_what_it_is_about(typed: Typed) -> None:
    for line in ("operator add Siti 1001", "operator add Budi 1002", "queue set emergency minimum=2"):
        await typed.good(line)

    one = (await typed.good("audit --subject operator/2")).words
    theirs = (await typed.good("audit --json --actor admin --last 2")).json["items"]

    assert one.startswith("Audit log, the newest 1, about operator/2 ")
    assert ("Budi" in one, "Siti" in one) == (True, False)
    assert [each["action"] for each in theirs] == ["operator.created", "queue.changed"]
    assert (await typed.good("audit --actor nobody")).out == "There is no such entry.\n"


async def test_a_whole_audit_log_is_told_with_its_last_hash(house: House, typed: Typed) -> None:
    head = (await house.get("/v1/audit/verify")).json["head"]

    said = await typed.good("audit --verify")

    assert "The audit log is whole" in said.words
    assert head in said.words.replace(" ", "") or head in said.words


async def test_an_audit_log_that_somebody_changed_is_a_failure_that_names_the_place(house: House, typed: Typed) -> None:
    await typed.good("operator add Siti 1001")
    with sqlite3.connect(house.database) as database:
        triggers = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in triggers:
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 2")
    database.close()

    said = await typed("audit --verify")

    assert said.status == 1
    assert "The audit log is BROKEN: entry 2 does not follow from the one before it" in said.err


async def test_another_program_is_told_of_events_and_its_secret_is_shown_once(house: House, typed: Typed) -> None:
    async with receiving() as receiver:
        nobody = await typed.good("webhook list")
        made = await typed.good("webhook add", receiver.url, "call.arrived", "call.ended")
        secret, id_ = made.out.split("\n\n")[1].strip(), made.words.rpartition(" ")[2].rstrip(".")
        listed = await typed.good("webhook list")
        [stored] = await house.context.store.webhooks()
        removed = await typed.good("webhook remove", id_)
        again = await typed("webhook remove", id_)

    assert "Nobody is told of events. Tell somebody: gateway112 webhook add URL" in nobody.words
    assert f"From now on call.arrived, call.ended is posted to {stored.url}, signed with:" in made.words
    assert (stored.secret, stored.id) == (secret, id_)
    assert listed.row(id_)[:3] == [id_, "ready", "call.arrived"], "what is wrong stands before a URL of any length"
    assert listed.row(id_)[-1] == stored.url
    assert secret not in listed.out
    assert f"Nothing more is posted to {stored.url}." in removed.words
    assert again.status == 1
    assert f"There is no webhook {id_}" in again.err


async def test_a_receiver_that_takes_nothing_is_listed_with_the_reason(house: House, typed: Typed) -> None:
    async with receiving(*[503] * 10_000) as receiver:
        await typed.good("webhook add", receiver.url)
        await house.answered_call()
        await until(lambda: any(each.last_error for each in house.context.deliveries.standings.values()))
        listed = await typed.good("webhook list")

    assert "FAILS since " in listed.words
    assert "HTTP 503" in listed.words


async def test_what_is_no_type_of_event_is_refused_by_name(typed: Typed) -> None:
    said = await typed("webhook add http://127.0.0.1:9/ call.began")
    assert said.status == 1
    assert "types/0: is no type of event; GET /v1/event-types lists them" in said.err
