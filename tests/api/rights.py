"""Who may reach which operation of the API, as people have looked at it: `rights.txt`, one operation a line.

Counterpart: `x-roles` of the OpenAPI document, which is made of the code. Whoever changes a right changes both, by
hand, so that the line stands in the review.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.api.openapi import EVERYBODY, ROLES
from gateway.domain.tokens import Role

FILE = Path(__file__).with_name("rights.txt")

Operation = tuple[str, str]
"""A method and a path."""
Rights = dict[Operation, list[str]]


def documented(document: Mapping[str, Any]) -> Rights:
    """The rights as an OpenAPI document has them."""
    return {
        (method.upper(), path): operation[ROLES]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def reviewed() -> Rights:
    """The rights as the file has them. Raises ValueError for a line that cannot be, or stands twice."""
    found: Rights = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        method, path, *roles = line.split()
        if (method, path) in found or not roles or not set(roles) <= {*Role, EVERYBODY}:
            raise ValueError(line)
        found[method, path] = roles
    return found


def as_lines(rights: Rights) -> list[str]:
    """The rights as they may stand in the file."""
    return [f"{method:6} {path} {' '.join(roles)}" for (method, path), roles in rights.items()]
