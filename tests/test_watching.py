"""The rules and the dashboard of setup/watching/: each metric that they name is one that the gateway serves, each alert
says what to do, a real Prometheus takes all of it, and Grafana knows all that is in the dashboard.

Counterparts: `gateway/api/metrics.py`; `setup/prometheus.sh` fetches Prometheus for the tests that need it.
"""

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as dashboards
from prometheus_client.parser import text_string_to_metric_families

from gateway.api.reasons import CODES
from gateway.domain.facts import Entered
from gateway.settings import PROJECT
from gateway.watch import KINDS
from tests.api.house import START, House, open_house
from tests.sip import free_port

WATCHING = PROJECT / "setup/watching"
OPERATIONS = PROJECT / "docs/operations.md"
NAMED = re.compile(r"\b(?:gateway112|process)_[a-z_]+\b")
REMEDY = "Prometheus is not here: `make test` fetches it, or: setup/prometheus.sh"
Json = dict[str, Any]


def program(name: str) -> str:
    """Where `promtool` or `prometheus` is; skips the test where it is not."""
    own = PROJECT / "var/prometheus" / name
    found = str(own) if own.exists() else shutil.which(name)
    if found is None:
        pytest.skip(REMEDY)
    return found


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A centre in which there is some of everything."""
    async with open_house(tmp_path) as house:
        await house.answered_call("112-1.1")
        await house.tell(Entered("112-2.1", START, "telkomsel", "0811"))
        [trunk] = [each for each in (await house.get("/v1/trunks")).json["items"] if each["name"] == "telkomsel"]
        await house.patch(f"/v1/trunks/{trunk['id']}", {"channels": 30, "is_asked": True})
        await house.post("/v1/webhooks", {"url": "http://127.0.0.1:1/"})
        house.services.line.trunks_up = {"telkomsel": True}
        house.status |= {"sip_refused": {"InvalidPassword": 3}, "link_counts": {"logins": 1, "events": 9, "strays": 0}}
        house.status["free_bytes"] = {"paths.var": 10**11}
        await house.get("/v1/health", token=None)
        yield house


async def served(house: House) -> set[str]:
    """The names of all series."""
    told = (await house.get("/metrics", token="reader")).text
    return {sample.name for family in text_string_to_metric_families(told) for sample in family.samples}


def rules() -> list[Json]:
    told = yaml.safe_load((WATCHING / "alerts.yml").read_text())
    return [rule for group in told["groups"] for rule in group["rules"]]


def panels() -> list[Json]:
    dashboard = json.loads((WATCHING / "dashboard.json").read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries() -> Iterator[str]:
    """The dashboard's, as Grafana asks them."""
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")


# ---------------------------------------------------------------- without Prometheus


async def test_each_metric_that_rules_and_dashboard_name_is_one_that_the_gateway_serves(house: House) -> None:
    there = await served(house)
    named = {name for rule in rules() for name in NAMED.findall(rule["expr"])}
    shown = {name for query in queries() for name in NAMED.findall(query)}
    assert named - there == set()
    assert shown - there == set()
    # and none is served of which nobody ever sees anything
    own = {re.sub("_(bucket|count|sum)$", "", name) for name in there if name.startswith("gateway112_")}
    assert own - {re.sub("_(bucket|count|sum)$", "", name) for name in named | shown} == set()


async def test_each_metric_has_a_help_a_name_by_the_rules_and_few_labels(house: House) -> None:
    told = (await house.get("/metrics", token="reader")).text
    for family in text_string_to_metric_families(told):
        assert family.documentation, family.name
        assert len({label for sample in family.samples for label in sample.labels} - {"le"}) <= 2, family.name
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples), family.name
        assert not re.search("_(ms|minutes|hours|mb|kb|percent)(_|$)", family.name), family.name
    labels = {
        value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
        for value in sample.labels.values()
    }
    # neither a caller's number nor a call's id ever becomes a label
    assert not {each for each in labels if each.startswith(("08", "112-"))}


def test_each_alert_says_what_it_means_what_to_do_and_where_to_read_more() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in OPERATIONS.read_text().splitlines()
        if line.startswith("#")
    }
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}, rule["alert"]
        file, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert (PROJECT / file).samefile(OPERATIONS)
        assert anchor in headings, f"{rule['alert']}: {anchor}"
        assert rule["alert"] in OPERATIONS.read_text(), f"{rule['alert']} is not in docs/operations.md"


def test_the_rules_name_only_alarms_and_reasons_that_there_are() -> None:
    for query in (*(rule["expr"] for rule in rules()), *queries()):
        for label, known in (("kind", KINDS), ("reason", set(CODES))):
            for words in re.findall(rf'(?:alarms|problem)\{{[^}}]*{label}=~?"([a-z_|]+)"', query):
                assert set(words.split("|")) <= known, query


def test_each_panel_of_the_dashboard_says_what_it_shows_in_which_unit_and_overlaps_no_other() -> None:
    dashboard = json.loads((WATCHING / "dashboard.json").read_text())
    taken: set[tuple[int, int]] = set()
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH"[: len(panel["targets"])])


OF_THE_DATA_SOURCE = {"definition", "step", "titleFormat"}
"""What Prometheus' plugin reads of a variable and an annotation, and Grafana's own schema does not have."""


def test_grafana_knows_all_that_is_in_the_dashboard() -> None:
    """By the types that Grafana makes of its own schema: what it does not know it drops."""
    plugins.register_default_plugins()
    written = json.loads((WATCHING / "dashboard.json").read_text())
    known = json.loads(JSONEncoder().encode(dashboards.Dashboard.from_json(written)))
    assert set(unknown(written, known)) == OF_THE_DATA_SOURCE
    written["panels"][1]["gridpos"] = written["panels"][1].pop("gridPos")
    known = json.loads(JSONEncoder().encode(dashboards.Dashboard.from_json(written)))
    assert "gridpos" in set(unknown(written, known))


def unknown(written: object, known: object) -> Iterator[str]:
    """The names in `written` of which `known` has nothing, or something else."""
    if isinstance(written, dict) and isinstance(known, dict):
        for name, value in written.items():
            if name not in known:
                yield name
            elif isinstance(value, dict | list):
                yield from unknown(value, known[name])
            elif value != known[name]:
                yield name
    elif isinstance(written, list) and isinstance(known, list):
        assert len(written) == len(known)
        for one, other in zip(written, known, strict=True):
            yield from unknown(one, other)
    else:
        assert written == known


def test_each_alert_is_fired_by_the_unit_tests_of_the_rules() -> None:
    told = (WATCHING / "alerts_test.yml").read_text()
    assert {rule["alert"] for rule in rules()} <= set(re.findall(r'alertname="(\w+)"', told))


# ---------------------------------------------------------------- with Prometheus


def test_promtool_takes_the_rules_and_their_unit_tests_pass() -> None:
    for what in (("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")):
        done = subprocess.run([program("promtool"), *what], cwd=WATCHING, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
    config = ("check", "config", "--syntax-only", "prometheus.yml")
    done = subprocess.run([program("promtool"), *config], cwd=WATCHING, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


async def test_promtool_finds_no_fault_with_the_metrics(house: House) -> None:
    told = (await house.get("/metrics", token="reader")).raw
    done = await asyncio.to_thread(
        subprocess.run, [program("promtool"), "check", "metrics"], input=told, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


async def test_a_real_prometheus_reads_a_gateway_and_answers_every_query_of_the_dashboard(
    house: House, tmp_path: Path
) -> None:
    async with prometheus(house, tmp_path) as ask:
        async with asyncio.timeout(30):
            while True:
                found = (await ask("query", query='rate(gateway112_events_total{job="gateway112"}[1m])'))["result"]
                evaluated = [rule for group in (await ask("rules"))["groups"] for rule in group["rules"]]
                told = (await ask("alerts"))["alerts"]
                # one that was looked for before the gateway was read for the first time goes with the next look
                if found and all(rule["health"] == "ok" for rule in evaluated) and _named(told) <= MAY_FIRE:
                    break
                assert not [rule for rule in evaluated if rule["health"] == "err"]
                await asyncio.sleep(0.2)
        empty = [query for query in queries() if not (await ask("query", query=query))["result"]]
        assert len(evaluated) == len(rules())
        # nothing waits for a bucket where there is none: unknown, which is left out of the sum of all centres
        assert [query for query in empty if "recordings_not_moved" not in query] == []
        assert _named((await ask("alerts"))["alerts"]) <= MAY_FIRE


MAY_FIRE = {"NoOperator", "WebhookFailing", "RecordingsNotMoved"}
"""In a house without operators, with a webhook that nobody takes, and where what waits for a bucket is not known."""


def _named(alerts: list[Json]) -> set[str]:
    return {alert["labels"]["alertname"] for alert in alerts}


@contextlib.asynccontextmanager
async def prometheus(house: House, folder: Path) -> AsyncIterator[Any]:
    """A Prometheus server that reads the house; yields a way to ask its API."""
    port = free_port()
    config = yaml.safe_load((WATCHING / "prometheus.yml").read_text())
    (folder / "gateway112.token").write_text("reader")
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(WATCHING / "alerts.yml")]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{house.server.port}"]
    (folder / "prometheus.yml").write_text(json.dumps(config))
    options = (f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb")
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program("prometheus"), *options, f"--web.listen-address=127.0.0.1:{port}", stdout=log, stderr=log
        )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

            async def ask(what: str, **query: str) -> Any:
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    async with session.get(f"/api/v1/{what}", params=query) as answer:
                        if answer.status == 503:  # it is starting
                            return {"result": [], "groups": [], "alerts": []}
                        told = await answer.json()
                        assert told["status"] == "success", told
                        return told["data"]
                assert process.returncode is None, (folder / "prometheus.log").read_text()
                return {"result": [], "groups": [], "alerts": []}

            yield ask
    finally:
        process.terminate()
        await process.wait()
