"""Telling: a model as JSON, for whoever asks.

Counterparts: `routes.py` for every answer, `streams.py` and `pictures.py` for streams; `gateway/domain/masking.py`
masks. What the API tells goes through here, so that no route can forget it.
"""

import json

from pydantic import BaseModel

from gateway.domain.masking import masked


def told_json(content: BaseModel, *, hides_numbers: bool) -> bytes:
    """The model as it is told: callers' numbers are masked for whoever may not see them."""
    if not hides_numbers:
        return content.model_dump_json(by_alias=True).encode()
    told = masked(content.model_dump(mode="json", by_alias=True))
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
