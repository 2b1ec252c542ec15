"""Checks a value against the part of JSON Schema that the OpenAPI document uses; a word that is not known here fails.

Counterpart: `house.py` holds every answer of the tests against the document with it.
"""

import re
from datetime import date, datetime
from typing import Any

_ABOUT = {"description", "default", "title"}
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


class Mismatch(AssertionError):
    """The value is not what the schema says."""


def check(value: Any, schema: dict[str, Any], document: dict[str, Any], where: str = "") -> None:
    """Raises Mismatch with the place of the first fault."""
    if "$ref" in schema:
        check(value, resolve(schema["$ref"], document), document, where)
        return
    for word, rule in sorted(schema.items(), key=lambda each: each[0] != "type"):  # the others rely on the type
        if word not in _ABOUT:
            _word(word, rule, value, schema, document, where)


def resolve(ref: str, document: dict[str, Any]) -> dict[str, Any]:
    """What `ref` points to. Raises KeyError where that is nothing."""
    found: Any = document
    for part in ref.removeprefix("#/").split("/"):
        found = found[part]
    assert isinstance(found, dict)
    return found


def _word(word: str, rule: Any, value: Any, schema: dict[str, Any], document: dict[str, Any], where: str) -> None:
    match word:
        case "type":
            is_right = isinstance(value, _KINDS[rule]) and (rule == "boolean" or not isinstance(value, bool))
            _expect(is_right, where, value, rule)
        case "enum":
            _expect(value in rule, where, value, rule)
        case "const":
            _expect(value == rule, where, value, rule)
        case "anyOf":
            _expect(any(_fits(value, choice, document) for choice in rule), where, value, rule)
        case "properties":
            for name, each in rule.items():
                if name in value:
                    check(value[name], each, document, f"{where}/{name}")
        case "required":
            _expect(set(rule) <= value.keys(), where, sorted(value), rule)
        case "additionalProperties":
            unknown = value.keys() - schema.get("properties", {}).keys()
            _expect(rule is not False or not unknown, where, sorted(unknown), "no others")
        case "items":
            for place, each in enumerate(value):
                check(each, rule, document, f"{where}/{place}")
        case "format":
            if rule == "date":
                _expect(date.fromisoformat(value).isoformat() == value, where, value, "a date")
            else:
                assert rule == "date-time", rule
                _expect(datetime.fromisoformat(value).tzinfo is not None, where, value, "an offset")
        case "pattern":
            _expect(re.search(rule, value) is not None, where, value, rule)
        case "minimum":
            _expect(value >= rule, where, value, rule)
        case "maximum":
            _expect(value <= rule, where, value, rule)
        case "minLength" | "maxLength" | "maxItems":
            _expect(len(value) >= rule if word == "minLength" else len(value) <= rule, where, value, rule)
        case _:
            raise AssertionError(f"{where}: the schema says {word}, which is not known here")


def _fits(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> bool:
    try:
        check(value, schema, document)
    except Mismatch:
        return False
    return True


def _expect(is_right: bool, where: str, value: Any, rule: Any) -> None:
    if not is_right:
        raise Mismatch(f"{where or '/'}: {value!r} is not {rule!r}")
