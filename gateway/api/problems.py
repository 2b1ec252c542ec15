"""Problem documents (RFC 9457): every answer that is not a success says so in one form, and never more than it should.

Counterpart: the modules of `gateway/api/` raise `Problem`; the centre and the store raise their own, translated here.
"""

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import PayloadEncodingError
from aiohttp.typedefs import Handler
from aiohttp.web import RequestPayloadError
from pydantic_core import ErrorDetails

from gateway.api.models import FieldFault, ProblemModel
from gateway.api.wording import in_words
from gateway.domain.callbacks import OutOfTurn
from gateway.domain.coverage import Hole
from gateway.domain.kept import Invalid, Unfitting
from gateway.listening import NobodyTalks
from gateway.logs import about
from gateway.office import NotOnDuty
from gateway.ports import Refused, Stale, StoreAway, SwitchboardAway, Taken, Unknown, VaultAway
from gateway.rulings import LeavesGaps
from gateway.store.cursors import BadCursor
from gateway.vault.box import Unopenable
from gateway.vault.conversion import Unplayable
from gateway.vault.keys import KeyMissing
from gateway.vault.playing import TooManyPlay
from gateway.vault.recordings import NoRecording
from gateway.vault.shelf import ShelfAway

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
OUR_MISTAKE = "The centre made a mistake; its log tells more."
SHOWN = 20
"""Faults of one kind that are told at most."""
HAS_BEGUN = web.RequestKey("has_begun", bool)
"""Set on a request once the head of its answer is on its way."""


class Problem(Exception):
    """An answer that is not a success. `detail` is a sentence for a person."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Iterable[FieldFault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        body = ProblemModel(
            title=HTTPStatus(self.status).phrase, status=self.status, detail=self.detail, errors=self.errors
        )
        return web.Response(
            status=self.status,
            headers=self.headers,
            body=body.model_dump_json(exclude=None if self.errors else {"errors"}).encode(),
            content_type=CONTENT_TYPE,
        )


def unprocessable(field: str, reason: str) -> Problem:
    """The problem of one field that cannot be used."""
    return Problem(422, "The request cannot be used.", errors=[FieldFault(field=field, reason=reason)])


def conflict(field: str, reason: str) -> Problem:
    """The problem of one field that could be used, but not as things stand."""
    return Problem(409, "The request does not fit what is there.", errors=[FieldFault(field=field, reason=reason)])


@web.middleware
async def tell_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns whatever was raised into a problem document. What nobody expected is logged, and told as a bare 500. Where
    an answer has already begun it is too late for another: the connection is cut, so that the client sees it."""
    with about(_call_of(request)):
        return await _answered(request, handler)


def _call_of(request: web.Request) -> str | None:
    """The call that the request is about, where its path says so."""
    return request.match_info.get("id") if request.path.startswith("/v1/calls/") else None


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _of_http(error, request).response()
    except Exception as error:
        problem = translate(error)
        if problem is None:
            log.exception("request_failed", extra=_asked(request))
            problem = Problem(500, OUR_MISTAKE)
        elif problem.status == 503:
            log.warning("request_unanswered", extra={**_asked(request), "reason": str(error)})
        if request.get(HAS_BEGUN) and request.transport is not None:
            request.transport.abort()
        return problem.response()


def _asked(request: web.Request) -> dict[str, str]:
    """What was asked, for the log: the path as it is declared, for in the true one may be a caller's number."""
    resource = request.match_info.route.resource
    return {"method": request.method, "path": resource.canonical if resource is not None else ""}


def translate(error: Exception) -> Problem | None:
    """The problem that an exception of ours means to a client; None for one that nobody expected."""
    match error:
        case Problem():
            return error
        case StoreAway():
            return _later("The database does not answer.")
        case SwitchboardAway():
            return _later("Asterisk cannot be reached.")
        case VaultAway() | ShelfAway():
            return _later("The recordings cannot be read now: where they are stored does not answer.")
        case TooManyPlay():
            return _later("As many recordings are being converted as may be at once.")
        case Unplayable() | Unopenable() | KeyMissing():
            return Problem(500, f"The sound cannot be played: {error}.")
        case Refused():
            return Problem(502, f"Asterisk refused: {error}.")
        case Taken() | NotOnDuty() | OutOfTurn() | NobodyTalks():
            return Problem(409, f"{str(error).rstrip('.')}.")
        case LeavesGaps():
            return Problem(
                409,
                "The roster would have a hole that it has not now. Say allow_gaps to have it as an alarm.",
                errors=[FieldFault(field="?allow_gaps", reason=_told(hole)) for hole in error.holes[:SHOWN]],
            )
        case Stale():
            return Problem(412, f"{error}: read it again.")
        case Unfitting():
            return conflict(f"/{error.field}", str(error))
        case Invalid():
            return unprocessable(f"/{error.field}", str(error))
        case Unknown() | NoRecording():
            return Problem(404, f"{str(error).rstrip('.')}.")
        case ConnectionResetError() | PayloadEncodingError() | RequestPayloadError():
            return Problem(400, "The request did not come whole.")
        case BadCursor():
            return unprocessable("?cursor", "is not a cursor of this list")
    return None


def faults(errors: Iterable[ErrorDetails], prefix: str) -> list[FieldFault]:
    """Pydantic's errors as ours. `prefix` is "/" for a body, else what leads a parameter's name."""
    return [FieldFault(field=_field(error, prefix), reason=_reason(error)) for error in errors]


def _field(error: ErrorDetails, prefix: str) -> str:
    if prefix == "/":  # a JSON pointer, RFC 6901
        return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in error["loc"])
    name = ".".join(str(part) for part in error["loc"])
    return f"{{{name}}}" if prefix == "{" else prefix + name


def _reason(error: ErrorDetails) -> str:
    match error["type"]:
        case "extra_forbidden":
            return "is not known here"
        case "missing":
            return "is required"
        case "string_pattern_mismatch":
            return f"must be {in_words(error['ctx']['pattern'])}"
    return error["msg"].removeprefix("Value error, ")


def _told(hole: Hole) -> str:
    return (
        f"queue {hole.queue}, {hole.starts_at:%Y-%m-%dT%H:%MZ} to {hole.ends_at:%Y-%m-%dT%H:%MZ}: "
        f"{hole.rostered} of at least {hole.minimum}"
    )


def _later(detail: str) -> Problem:
    return Problem(503, detail, headers={"Retry-After": str(RETRY_AFTER_S)})


def _of_http(error: web.HTTPException, request: web.Request) -> Problem:
    """aiohttp's own refusals: no such path, no such method, a body that is too large."""
    match error:
        case web.HTTPNotFound():
            return Problem(404, f"There is nothing at {request.path}.")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return Problem(405, f"{request.path} takes {allowed}.", headers={"Allow": allowed})
        case web.HTTPRequestEntityTooLarge():
            return Problem(413, "The body is larger than 64 KiB.")
    return Problem(error.status, error.reason)
