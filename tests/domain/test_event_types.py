"""The list of event types is what the code tells, no more and no less."""

import re

from gateway.domain.books import PauseReason, Rules
from gateway.domain.duty import Step
from gateway.domain.event_types import EVENT_TYPES
from gateway.domain.kept import Kept
from gateway.logbook import Step as BackupStep
from gateway.settings import PROJECT
from gateway.store.shelves import SHELVES

LITERAL = re.compile(r'(?:Event|Deed|_event|_place_deed|deed_about)\((?:[^()"]|\([^()]*\))*?"([a-z_]+\.[a-z_]+)"')
VARIABLE = {
    'f"operator.{what}"': {f"operator.{step}" for step in Step},
    'f"backup.{what}"': {f"backup.{step}" for step in BackupStep},
    'f"alarm.{what}"': {"alarm.raised", "alarm.cleared"},
    'f"on_call.{what}"': {"on_call.rung", "on_call.accepted", "on_call.declined", "on_call.not_reached"},
}


def test_every_type_that_the_code_tells_is_listed_and_every_listed_one_is_told() -> None:
    source = "\n".join(file.read_text() for file in (PROJECT / "gateway").rglob("*.py"))
    told = set(LITERAL.findall(source))
    for text, types in VARIABLE.items():
        assert text in source
        told |= types
    told |= {f"{kind.KIND}.{verb}" for kind in SHELVES for verb in ("created", "changed", "retired")}
    assert told == set(EVENT_TYPES)


def test_every_kept_kind_has_a_name_of_its_own() -> None:
    assert len({kind.KIND for kind in SHELVES}) == len(SHELVES)
    assert {PauseReason, Rules} <= set(SHELVES)
    assert all(issubclass(kind, Kept) for kind in SHELVES)
