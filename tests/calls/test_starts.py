"""What a real start makes of settings that are out of the ordinary: a centre that listens on every address of its
machine names a true one in its SDP, its API is served over HTTPS where there is a certificate, and what the settings
say of a trunk that is not there is told."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.probe.report import Result
from gateway.probe.run import run as probe
from tests import sip
from tests.centre import RealCentre, real_centre
from tests.certificates import write_pair
from tests.sip import Sipp

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def own_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCentre]:
    certificate, key = write_pair(tmp_path_factory.mktemp("tls"))
    sections: dict[str, dict[str, object]] = {
        "sip": {"host": "0.0.0.0"},  # noqa: S104
        "api": {"tls_certificate": str(certificate), "tls_key": str(key)},
        "trunks.bolt": {"priority": 2},
    }
    with real_centre(sections) as centre:
        centre.start_asterisk()
        centre.start_gateway()
        yield centre


async def test_the_sdp_names_the_address_that_the_carrier_reaches(own_centre: RealCentre, tmp_path: Path) -> None:
    await own_centre.ready()
    log = tmp_path / "messages"
    async with own_centre.api() as api, Sipp(sip.phone_answers(), address="127.0.0.21") as phone:
        await api.operator("1001", phone)
        options = ("-trace_msg", "-message_file", str(log))
        result = await sip.call(sip.caller_talks(hold_ms=1000), own_centre.sip_port, options=options)

    assert result.succeeded == 1, result.output
    answers = [message for message in log.read_text().split("-----") if "SIP/2.0 200 OK" in message]
    named = {address for message in answers for address in re.findall(r"^c=IN IP4 (\S+)", message, re.MULTILINE)}
    assert named == {"127.0.0.1"}


async def test_sound_goes_both_ways(own_centre: RealCentre) -> None:
    """By the probe, whose caller, phone and recording are listened to."""
    await own_centre.ready()
    token = (own_centre.settings.paths.var / "admin-token").read_text().strip()
    report = await probe(own_centre.settings, token)

    assert report.passed, [(step.name, step.said) for step in report.steps if step.result is not Result.OK]


async def test_a_setting_of_a_trunk_that_is_not_there_is_told_in_log_and_health(own_centre: RealCentre) -> None:
    await own_centre.ready()
    async with own_centre.api() as api:
        health = await api.get("/v1/health")

    [told] = [problem for problem in health["problems"] if "gateway.toml" in problem]
    assert told.startswith("gateway.toml, [trunks.bolt]: there is no trunk bolt; known are ")
    [line] = [line for line in own_centre.log().splitlines() if " setting_in_vain " in line]
    assert told in line


async def test_a_renewed_certificate_is_taken_at_a_signal_and_commands_trust_it(own_centre: RealCentre) -> None:
    await own_centre.ready()
    certificate = own_centre.settings.api.tls_certificate
    assert certificate
    write_pair(certificate.parent)
    os.kill(own_centre.gateway_pid, signal.SIGHUP)
    await own_centre.ready()
    asked = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "gateway", "--config", own_centre.folder / "gateway.toml", "token", "list"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "tls_reloaded" in own_centre.log()
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "admin" in asked.stdout


async def test_asterisk_comes_back_at_night_whatever_is_wrong_with_what_112_can_answer_without(
    own_centre: RealCentre,
) -> None:
    """Without a gateway, too: nobody is there who would mend the recordings' disk, a certificate or a setting."""
    await own_centre.ready()
    async with own_centre.api() as api, Sipp(sip.phone_answers(), address="127.0.0.22") as phone:
        await api.operator("1002", phone)
        own_centre.stop_gateway()
        own_centre.stop_asterisk()
        own_centre.start_asterisk(
            GATEWAY112_PATHS_RECORDINGS="/dev/null/recordings",
            GATEWAY112_SIP_TLS_PORT=str(sip.free_port()),
            GATEWAY112_SIP_TLS_CERTIFICATE="/nonexistent/sip.pem",
            GATEWAY112_SIP_TLS_KEY="/nonexistent/sip-key.pem",
            GATEWAY112_CALL_GREETING="selamat",
            GATEWAY112_CALL_QUEUE="emergancy",
            GATEWAY112_VAULT_BUCKET="s3://sound",
        )
        result = await sip.call(sip.caller_talks(hold_ms=500), own_centre.sip_port)
        # and where nothing is known of an earlier start, as on another machine
        own_centre.cli("dialplan set global QUEUE_BEFORE emergancy")
        again = await sip.call(sip.caller_talks(hold_ms=500), own_centre.sip_port)

    assert (result.succeeded, again.succeeded) == (1, 1), result.output + again.output
    told = own_centre.log("asterisk")
    for words in ("NOT recorded", "over UDP and TCP alone", "without a greeting", "vault: bucket needs access_key"):
        assert words in told, words


def test_asterisks_console_takes_a_command_whichever_asterisk_it_is(own_centre: RealCentre) -> None:
    argv = [sys.executable, "-m", "gateway", "--config", str(own_centre.folder / "gateway.toml"), "console"]
    said = subprocess.run([*argv, "core show version"], capture_output=True, text=True, timeout=20, check=False)
    assert (said.returncode, said.stdout[:9]) == (0, "Asterisk "), said.stderr
