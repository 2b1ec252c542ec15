"""The carriers' trunks, as Asterisk's configuration has them.

Counterpart: `asterisk-config/pjsip.conf`, where an engineer adds a carrier: an endpoint and its addresses.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_SECTION = re.compile(r"^\[(?P<name>[^]]+)\](?:\((?P<template>[^)]*)\))?")
_VALUE = re.compile(r"^(?P<key>[A-Za-z_]+)\s*=>?\s*(?P<value>[^;]+)")


@dataclass(frozen=True, slots=True)
class Trunk:
    """A carrier's trunk: its name, and the addresses that its calls come from."""

    name: str
    addresses: tuple[str, ...]


def read(pjsip_conf: Path) -> list[Trunk]:
    """The trunks of the file: its sections on the template `carrier-address`. Raises OSError."""
    trunks: dict[str, tuple[str, ...]] = {}
    section: dict[str, list[str]] | None = None
    for line in [*pjsip_conf.read_text(encoding="utf-8").splitlines(), "[end]"]:
        if found := _SECTION.match(line):
            if section:
                trunks[section["endpoint"][0]] = tuple(
                    address.strip() for value in section["match"] for address in value.split(",")
                )
            section = {} if found["template"] == "carrier-address" else None
        elif section is not None and (value := _VALUE.match(line)):
            section.setdefault(value["key"], []).append(value["value"].strip())
    return [Trunk(name, addresses) for name, addresses in trunks.items()]
