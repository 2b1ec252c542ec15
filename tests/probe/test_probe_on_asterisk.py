"""The probe's own call, through a real Asterisk and a real gateway."""

import asyncio
import io
import os
import signal
import socket
from pathlib import Path

import pytest
from rich.console import Console

from gateway.probe import caller as caller_module
from gateway.probe import run as course
from gateway.probe.caller import Caller
from gateway.probe.report import ProbeReport, Result, StepFailed, render
from gateway.settings import Settings
from tests.centre import RealCentre


def children() -> set[str]:
    """The processes that this one has started and not yet ended."""
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {child for task in tasks for child in task.read_text().split()}


def token(centre: RealCentre) -> str:
    return (centre.settings.paths.var / "admin-token").read_text().strip()


def shown(report: ProbeReport) -> str:
    out = io.StringIO()
    Console(file=out, width=100).print(render(report))
    return out.getvalue()


def results(report: ProbeReport) -> dict[str, Result]:
    return {step.name: step.result for step in report.steps}


async def no_channels(centre: RealCentre) -> None:
    """Returns once no call is left in Asterisk."""
    async with asyncio.timeout(20):
        while "0 active channels" not in await asyncio.to_thread(centre.cli, "core show channels count"):
            await asyncio.sleep(0.1)


@pytest.mark.asterisk
async def test_a_probe_of_a_whole_centre_is_good_at_every_step_and_leaves_nothing_running(centre: RealCentre) -> None:
    before = children()
    report = await course.run(centre.settings, token(centre))
    assert report.passed, shown(report)
    times = {step.name: step.at_ms for step in report.steps}
    in_order = [
        times[name] for name in (course.REGISTERS, course.ANSWERS, course.RINGS, course.PICKED_UP, course.HANGS_UP)
    ]
    assert None not in in_order
    assert in_order == sorted(in_order, key=lambda at: at or 0)
    assert children() == before
    await no_channels(centre)
    async with centre.api() as api:
        assert await api.calls() == []
        assert len(await api.calls(include_probes="true")) >= 1


@pytest.mark.asterisk
async def test_without_the_gateway_the_call_is_as_good_and_only_the_api_is_told_as_missing(centre: RealCentre) -> None:
    centre.stop_gateway(signal.SIGKILL)
    try:
        report = await course.run(centre.settings, token(centre))
    finally:
        centre.start_gateway()
    assert results(report) == dict.fromkeys(course.STEPS[:-2], Result.OK) | {
        course.TOLD: Result.FAILED,
        course.EVENTS: Result.NOT_TRIED,
    }, shown(report)
    assert "gateway112 serve" in " ".join(shown(report).split())


@pytest.mark.asterisk
async def test_a_probe_that_is_broken_off_ends_its_call_and_its_processes(centre: RealCentre) -> None:
    before = children()
    probing = asyncio.create_task(course.run(centre.settings, token(centre)))
    async with asyncio.timeout(20):
        while "1 active call" not in await asyncio.to_thread(centre.cli, "core show channels count"):
            await asyncio.sleep(0.05)
    probing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probing
    assert children() == before
    await no_channels(centre)


@pytest.mark.asterisk
async def test_a_second_probe_at_the_same_time_says_so_and_does_not_disturb_the_first(centre: RealCentre) -> None:
    first = asyncio.create_task(course.run(centre.settings, token(centre)))
    await asyncio.sleep(0.3)
    second = await course.run(centre.settings, token(centre))
    assert not second.passed
    assert "another probe is running" in shown(second)
    report = await first
    assert report.passed, shown(report)


@pytest.mark.asterisk
async def test_a_wrong_token_fails_at_the_api_and_says_which_is_right(centre: RealCentre) -> None:
    report = await course.run(centre.settings, "not-a-token")
    assert results(report)[course.RECORDED] is Result.OK, shown(report)
    assert results(report)[course.TOLD] is Result.FAILED
    assert "var/admin-token" in shown(report)


@pytest.mark.parametrize("limit_s", [1.0, 4.0])  # before and after pyVoIP's own time limit
async def test_where_nothing_runs_the_phone_cannot_register_and_that_is_said(
    nowhere: Settings, monkeypatch: pytest.MonkeyPatch, limit_s: float
) -> None:
    monkeypatch.setattr(course, "REGISTER_S", limit_s)
    before = children()
    report = await course.run(nowhere, "token")
    assert results(report)[course.REGISTERS] is Result.FAILED
    assert f"Asterisk at 127.0.0.1:{nowhere.sip.port} does not answer" in shown(report).replace("\n", " ")
    assert set(results(report).values()) == {Result.FAILED, Result.NOT_TRIED}
    assert children() == before


async def test_without_sipp_the_caller_cannot_call_and_the_package_is_named(
    nowhere: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StepFailed) as failure:
        await Caller(nowhere, 4000).__aenter__()
    assert "sip-tester" in failure.value.remedy


async def test_where_asterisk_does_not_answer_the_invite_sipp_is_ended_and_it_is_said(nowhere: Settings) -> None:
    before = children()
    async with Caller(nowhere, 4000) as caller:
        await caller.invited(5.0)
        with pytest.raises(StepFailed) as failure:
            await caller.answered(0.5)
    assert "did not answer" in failure.value.said
    assert "start Asterisk" in failure.value.remedy
    assert children() == before


@pytest.mark.parametrize("taken", ["signalling", "media"])
async def test_a_port_that_another_program_took_in_between_is_replaced(
    nowhere: Settings, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    host, free_ports = nowhere.probe.host, caller_module._free_ports
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind((host, 0))
        port = squatter.getsockname()[1]

        def first_the_taken_one(host: str) -> tuple[int, int, int]:
            monkeypatch.setattr(caller_module, "_free_ports", free_ports)
            signalling, control, media = free_ports(host)
            # SIPp moves on when its first media port is taken, and gives up when its second is
            return (port, control, media) if taken == "signalling" else (signalling, control, port - 2)

        monkeypatch.setattr(caller_module, "_free_ports", first_the_taken_one)
        async with Caller(nowhere, 4000) as caller:
            assert [message.method for message in caller.messages()] == ["INVITE"]
