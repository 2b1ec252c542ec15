"""Writes the software bill of materials: every package of requirements.lock, as CycloneDX 1.6 in JSON.

    .venv/bin/python setup/sbom.py > sbom.cdx.json

Counterparts: `requirements.lock` says which packages and which files of them; the packages in `.venv` say their
licences, and which need which. What only developers need is there with the scope `excluded`. The same lock gives the
same document.
"""

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
OWN = "gateway112"
_PINNED = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[([^]]*)\])?")
_OF_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)""")

Json = dict[str, Any]


@dataclass
class Package:
    """One line of the lock."""

    name: str
    version: str
    hashes: list[str] = field(default_factory=list)

    @property
    def ref(self) -> str:
        """Its package URL, by which it is named everywhere."""
        return f"pkg:pypi/{self.name}@{self.version}"


def locked(text: str) -> list[Package]:
    """The packages of a lock file, in its order. Raises ValueError for a line that is none of its form."""
    found: list[Package] = []
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pinned = _PINNED.match(line)
        if pinned is None:
            raise ValueError(f"requirements.lock: no package is pinned in: {line[:80]}")
        found.append(Package(normal(pinned[1]), pinned[2], _HASH.findall(line)))
    return found


def normal(name: str) -> str:
    """A package's name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def document(packages: Iterable[Package], project: Mapping[str, Any]) -> Json:
    """The bill of materials, as JSON values. `project` is the table of that name in pyproject.toml."""
    packages = list(packages)
    by_name = {package.name: package for package in packages}
    first = _wanted(project["dependencies"])
    extras = _extras(first, by_name)

    def needs(name: str) -> list[str]:
        wanted = _wanted(_requirements(name), extras.get(name, set()))
        return [by_name[each].ref for each in sorted(wanted.keys() & by_name.keys())]

    own = {
        "type": "application",
        "bom-ref": OWN,
        "name": OWN,
        "version": project["version"],
        "licenses": [{"expression": project["license"]}],
    }
    content: Json = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": own},
        "components": [_component(package, package.name in extras) for package in packages],
        "dependencies": [
            {"ref": OWN, "dependsOn": [by_name[name].ref for name in sorted(first.keys() & by_name.keys())]},
            *({"ref": package.ref, "dependsOn": needs(package.name)} for package in packages),
        ],
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    return {**content, "serialNumber": f"urn:uuid:{number}"}


def _component(package: Package, is_needed: bool) -> Json:
    licences = _licences(package.name)
    return {
        "type": "library",
        "bom-ref": package.ref,
        "name": package.name,
        "version": package.version,
        "scope": "required" if is_needed else "excluded",
        "purl": package.ref,
        "hashes": [{"alg": "SHA-256", "content": each} for each in package.hashes],
        **({"licenses": licences} if licences else {}),
    }


def _licences(name: str) -> list[Json]:
    """As the installed package says it; none where it is not installed here (it is for another system)."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return []
    if expression := about.get("License-Expression"):
        return [{"expression": expression}]
    classifiers = about.get_all("Classifier", [])
    named = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License :: OSI")]
    if not named and (told := (about.get("License") or "").strip()) and len(told) < 100:
        named = [told]
    return [{"license": {"name": each}} for each in named]


def _requirements(name: str) -> list[str]:
    """What the installed package needs; nothing where it is not installed here."""
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def _wanted(requirements: Iterable[str], extras: Collection[str] = ()) -> dict[str, set[str]]:
    """The packages that these requirements (PEP 508) name on any system, each with the extras that it is to have;
    those of an extra where that is wanted."""
    found: dict[str, set[str]] = {}
    for text in requirements:
        of_extras = set(_OF_EXTRA.findall(text))
        if of_extras and not of_extras & set(extras):
            continue
        named = _REQUIREMENT.match(text)
        if named is not None:
            its = {each.strip() for each in (named[2] or "").split(",") if each.strip()}
            found.setdefault(normal(named[1]), set()).update(its)
    return found


def _extras(first: Mapping[str, set[str]], by_name: Collection[str]) -> dict[str, set[str]]:
    """All packages that are needed to run, through one another, each with the extras that somebody wants of it."""
    found: dict[str, set[str]] = {}
    waiting = list(first.items())
    while waiting:
        name, extras = waiting.pop()
        if name not in by_name or (name in found and extras <= found[name]):
            continue
        found[name] = found.get(name, set()) | extras
        waiting += _wanted(_requirements(name), found[name]).items()
    return found


def main() -> None:
    packages = locked((PROJECT / "requirements.lock").read_text(encoding="utf-8"))
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    json.dump(document(packages, project), sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
