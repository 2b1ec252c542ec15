"""`gateway112 hold …` and `export`: what is kept for a court, and what is handed out."""

import os
import stat
import zipfile
from pathlib import Path

from gateway.domain.change import Change
from tests.api.house import House
from tests.api.test_erasures import NUMBER, with_a_person
from tests.api.test_exports import recording_of, with_calls
from tests.api.test_retention import with_recordings
from tests.cli.typed import Typed
from tests.store.values import ended

ASKED = ("--reason", "LP/B/112/2026", "--recipient", "Ipda Dewi")


async def test_a_hold_is_set_and_listed_and_lifted_by_two(house: House, typed: Typed) -> None:
    await with_calls(house)
    said = await typed.good("hold set 112-1 --reason", "LP/B/112/2026, Ipda Dewi")
    assert said.out == "Hold 1 keeps the recordings of call 112-1.\n"
    listed = await typed.good("hold list")
    assert listed.row("1")[:2] == ["1", "112-1"]
    assert "LP/B/112/2026" in listed.words
    assert (await typed("hold lift 1")).status == 2
    asked = await typed.good("hold lift 1 --reason", "verdict 88")
    assert "holds on until another person confirms: `gateway112 hold confirm 1`" in asked.words
    assert "TO BE LIFTED, asks admin: verdict 88" in (await typed.good("hold list")).words
    assert "a second person must" in (await typed("hold confirm 1")).words
    lifted = await typed.good("hold confirm 1 --token supervisor")
    assert lifted.words == "Hold 1 is lifted: the rules decide about call 112-1."
    assert (await typed.good("hold list")).words == "No call is on hold."
    assert "LIFTED by admin and supervisor: verdict 88" in (await typed.good("hold list --all")).words
    assert "lift_reason: none → verdict 88" in (await typed.good("audit --subject legal_hold/1")).words


async def test_a_hold_that_comes_too_late_is_told(house: House, typed: Typed) -> None:
    await with_calls(house)
    said = await typed.good("hold set 112-2 --reason LP")
    assert "Destroyed before, and not to be kept any more: 112-2." in said.words
    unknown = await typed("hold set 112-9 --reason LP")
    assert (unknown.status, "there is no call 112-9" in unknown.words) == (1, True)
    assert "there is no legal hold 7" in (await typed("hold lift 7 --reason verdict")).words.lower()


async def test_retention_rules_are_made_and_their_work_is_seen_before_it_is_done(house: House, typed: Typed) -> None:
    await with_recordings(house)
    said = await typed.good("retention add Pranks 10 30 --disposition prank")
    assert said.out == "Rule 1, Pranks, keeps recordings for 30 days.\n"
    listed = await typed.good("retention list")
    assert listed.row("1") == ["1", "10", "Pranks", "prank", "30"]
    assert listed.row("all") == ["all", "others", "365"]
    assert (await typed.good("retention due")).row("Pranks") == ["Pranks", "30", "1", "0", "112-0"]
    later = await typed.good("retention due --by 2032-01-01")
    assert later.row("all")[:4] == ["all", "others", "365", "2"]
    assert (await typed("retention add Again 10 7")).status == 1
    assert (await typed.good("retention retire 1")).out == "Rule 1, Pranks, decides no more.\n"


async def test_an_erasure_is_asked_for_by_one_and_confirmed_by_another(house: House, typed: Typed) -> None:
    await with_a_person(house)
    await typed.good("hold set 112-2 --reason", "LP/B/112")
    asked = await typed.good(f"erasure ask {NUMBER} --reason", "letter 17")
    assert "waits for another person: `gateway112 erasure confirm 1`" in asked.words
    assert "To be erased: calls 1, recordings 1. Call 112-2 stays until its hold is lifted: LP/B/112." in asked.words
    assert "a second person must" in (await typed("erasure confirm 1")).words
    assert "Erasure 1 goes on." in (await typed.good("erasure confirm 1 --token supervisor")).words
    await house.services.erasing.look()
    listed = (await typed.good("erasure list")).words
    assert f"1 {NUMBER} held admin" in listed
    assert "Erased: calls 1, recordings 1." in listed
    assert "Call 112-2 stays until its hold is lifted" in listed
    await typed.good("erasure ask 081299999999 --reason", "letter 18")
    assert (await typed.good("erasure withdraw 2")).out == "Erasure 2 is withdrawn.\n"
    assert "(forgotten) withdrawn" in (await typed.good("erasure list --all")).words


async def test_an_export_is_a_file_for_this_user_alone(house: House, typed: Typed, tmp_path: Path) -> None:
    await with_calls(house)
    file = tmp_path / "lp112.zip"
    said = await typed.good(f"export 112-1 112-2 -o {file}", *ASKED)
    assert "holds 2 calls for Ipda Dewi" in said.words
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with zipfile.ZipFile(file) as bundle:
        assert bundle.testzip() is None
    again = await typed(f"export 112-1 -o {file}", *ASKED)
    assert (again.status, "is there already" in again.err) == (1, True)


async def test_an_export_says_what_is_not_as_it_was_sealed(house: House, typed: Typed, tmp_path: Path) -> None:
    await with_calls(house)
    (house.sounds / "2026/11/23/112-1.ogg").write_bytes(b"changed")
    file = tmp_path / "lp112.zip"
    said = await typed(f"export 112-1 -o {file}", *ASKED)
    assert (said.status, f"{file} holds 1 call for Ipda Dewi" in said.out) == (1, True)
    assert "DAMAGED: 1 recording is not as sealed, or cannot be read, and left out." in said.err
    assert zipfile.is_zipfile(file)
    entry = (await typed.good("audit --json --last 1")).json["items"][0]
    assert list(entry["after"]["not_as_sealed"]) == ["112-1"]


async def test_an_export_that_is_refused_or_breaks_off_leaves_no_file(
    house: House, typed: Typed, tmp_path: Path
) -> None:
    await with_calls(house)
    file = tmp_path / "lp112.zip"
    refused = await typed(f"export 112-9 -o {file}", *ASKED)
    assert (refused.status, "there is no call 112-9" in refused.words) == (1, True)
    call = ended(7)
    recording = house.seals.seal(recording_of(call), b"Ogg" * 100_000)
    await house.context.store.commit(Change(calls=(call,), recordings=(recording,)))
    house.seals.breaks_off_at = 1000
    broken = await typed(f"export 112-7 -o {file}", *ASKED)
    assert (broken.status, "broke off" in broken.err) == (1, True)
    assert not [name for name in os.listdir(tmp_path) if name.startswith("lp112")]
