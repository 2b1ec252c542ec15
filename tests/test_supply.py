"""What the gateway is made from: the bill of materials names all of the lock, and an audit that could not look says so.

Counterparts: `setup/sbom.py`, `setup/audit.py`.
"""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from types import ModuleType
from typing import Any

import pytest

from gateway.settings import PROJECT

LOCK = (PROJECT / "requirements.lock").read_text()


def script(name: str) -> ModuleType:
    """A script of setup/ as a module."""
    spec = importlib.util.spec_from_file_location(f"setup_{name}", PROJECT / "setup" / f"{name}.py")
    assert spec
    assert spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made() -> Any:
    """The bill of materials as `make sbom` writes it."""
    return bill()


def bill() -> Any:
    command = [sys.executable, PROJECT / "setup" / "sbom.py"]
    return json.loads(subprocess.run(command, capture_output=True, timeout=60, check=True).stdout)


def test_the_bill_of_materials_names_all_of_the_lock_and_nothing_else(made: Any) -> None:
    pinned = re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*\])?==([^ ;\\]+)", LOCK, re.MULTILINE)
    told = {(each["name"], each["version"]) for each in made["components"]}

    assert len(pinned) > 50
    assert told == {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in pinned}
    assert all(each["purl"] == f"pkg:pypi/{each['name']}@{each['version']}" for each in made["components"])
    assert sum(len(each["hashes"]) for each in made["components"]) == LOCK.count("--hash=sha256:")
    assert all(re.fullmatch("[0-9a-f]{64}", each["content"]) for part in made["components"] for each in part["hashes"])


def test_the_bill_of_materials_tells_what_a_centre_needs_from_what_developers_need(made: Any) -> None:
    scopes = {each["name"]: each["scope"] for each in made["components"]}
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    own = {re.split(r"[\[<>=; ]", text)[0].lower() for text in project["dependencies"]}

    assert {scopes[name] for name in own} == {"required"}
    assert {scopes[name] for name in ("greenlet", "yarl", "pydantic-core")} == {"required"}, "through others"
    assert {scopes[name] for name in ("pytest", "mypy", "hypothesis", "schemathesis")} == {"excluded"}
    refs = {each["bom-ref"] for each in made["components"]} | {"gateway112"}
    assert {each["ref"] for each in made["dependencies"]} == refs
    assert {ref for each in made["dependencies"] for ref in each["dependsOn"]} <= refs


def test_every_package_that_is_installed_here_has_a_licence(made: Any) -> None:
    without = {each["name"] for each in made["components"] if "licenses" not in each}

    assert without <= {"audioop-lts", "colorama"}, "those of another Python or another system"


def test_the_same_lock_gives_the_same_bill(made: Any) -> None:
    assert bill() == made


def report(**vulns: list[str] | None) -> dict[str, Any]:
    """A report of pip-audit's: weaknesses by package, None for one that was not found."""
    return {
        "dependencies": [
            {"name": name, "skip_reason": "Dependency not found on PyPI"}
            if found is None
            else {"name": name, "version": "1.0", "vulns": [{"id": each, "fix_versions": ["1.1"]} for each in found]}
            for name, found in vulns.items()
        ]
    }


@pytest.mark.parametrize(
    ("reports", "status", "words"),
    [
        ([report(aiohttp=[], rich=[])], 0, "2 packages of requirements.lock were looked at: 0 weak."),
        ([report(aiohttp=["CVE-2099-1"], rich=[])], 1, "WEAK  aiohttp 1.0: CVE-2099-1, mended in 1.1"),
        ([], 3, "NOTHING WAS CHECKED"),
        ([report(aiohttp=None, rich=None)], 3, "NOTHING WAS CHECKED"),
        ([report(aiohttp=[], rich=None)], 3, "NOT CHECKED, as no service knows them here: rich."),
        ([report(aiohttp=[], rich=None), report(aiohttp=[], rich=[])], 0, "2 packages"),
        ([report(rich=None), report(rich=["PYSEC-1"])], 1, "WEAK  rich 1.0: PYSEC-1"),
    ],
)
def test_an_audit_tells_what_it_found_and_what_it_could_not_look_at(
    reports: list[dict[str, Any]], status: int, words: str
) -> None:
    found = script("audit").Found()
    for each in reports:
        found.add(each)

    assert found.status == status
    assert words in "\n".join(found.lines())
