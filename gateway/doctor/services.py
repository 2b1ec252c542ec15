"""What answers: Asterisk's SIP, the database and the gateway's API on this machine's ports, and the bucket.

Counterpart: `machine.py`, which looks at what lies still.
"""

import asyncio
import http.client
import json
import secrets
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing

from sqlalchemy import make_url

from gateway.api.tls import client_context
from gateway.doctor.finding import Finding, ok, warning, wrong
from gateway.remedies import START_ASTERISK, START_GATEWAY
from gateway.settings import ApiSettings, Settings, SettingsError
from gateway.store import usable

ANSWER_S = 3.0
SIP_ANSWER_S = 1.0

SIP, DATABASE, API, BUCKET = "SIP", "database", "API", "bucket"


def look_at_sip(settings: Settings) -> Iterator[Finding]:
    """Whether something speaks SIP at sip.host:sip.port."""
    sip = settings.sip
    where = f"{sip.host}:{sip.port}"
    try:
        said = _options(settings)
    except OSError as error:
        if _is_free(sip.host, sip.port):
            yield wrong(SIP, f"nothing listens at {where} (UDP)", START_ASTERISK)
        else:
            yield wrong(
                SIP,
                f"a program holds {where} (UDP) and does not answer SIP ({error or 'silent'})",
                f"find it with `ss -lnup 'sport = {sip.port}'`, and end it or set sip.port to a free one",
            )
        return
    yield ok(SIP, f"{where} answers {said}")


def _options(settings: Settings) -> str:
    """What is answered to an OPTIONS (RFC 3261, 11) from the probe's address, which Asterisk knows. Raises OSError."""
    sip, host = settings.sip, settings.probe.host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(SIP_ANSWER_S)
        line.bind((host, 0))
        line.connect((sip.near_host, sip.port))  # so that a port where nobody listens says so at once
        own = f"{host}:{line.getsockname()[1]}"
        once = secrets.token_hex(8)  # a branch that Asterisk has seen before is a retransmission to it
        request = (
            f"OPTIONS sip:112@{sip.host}:{sip.port} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{once}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:doctor@{own}>;tag=doctor\r\nTo: <sip:112@{sip.host}:{sip.port}>\r\n"
            f"Call-ID: {once}@{own}\r\nCSeq: 1 OPTIONS\r\nContact: <sip:doctor@{own}>\r\nContent-Length: 0\r\n\r\n"
        )
        line.send(request.encode())
        answer = line.recv(65536).decode(errors="replace")
    first_line = answer.partition("\r\n")[0]
    if not first_line.startswith("SIP/2.0 "):
        raise OSError("its answer is not SIP")
    return first_line.removeprefix("SIP/2.0 ")


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True


def look_at_bucket(settings: Settings) -> Iterator[Finding]:
    """Whether the bucket can be listed with the key, and what came of the last round of moving; nothing where none is
    named."""
    if not settings.vault.bucket:
        return
    from gateway.vault.bucket import BucketShelf  # here, so that the doctor works without its library
    from gateway.vault.rounds import Round
    from gateway.vault.shelf import ShelfAway

    vault = settings.vault
    try:
        BucketShelf(vault, answer_s=ANSWER_S).look()
    except ShelfAway as error:
        said, _, remedy = str(error).partition(". Remedy: ")
        yield wrong(BUCKET, f"{said}. Sound stays on the disk meanwhile", remedy)
        return
    last = Round.read(settings)
    if last and last.problem:
        said, _, remedy = last.problem.partition(". Remedy: ")
        yield warning(BUCKET, f"{last.waiting} recordings were not moved: {said}", remedy or "look at that recording")
    elif vault.endpoint.startswith("http://") and not vault.encrypt:
        remedy = "write https in vault.endpoint, or set vault.encrypt"
        yield warning(BUCKET, f"{vault.bucket} answers; sound goes there over a line that others can read", remedy)
    else:
        yield ok(BUCKET, f"{vault.bucket} answers; sound is kept in the {vault.keep_in}")


def look_at_gateway(settings: Settings) -> Iterator[Finding]:
    """The database, and the API that rests on it."""
    if (found := usable.problem(settings)) is not None:
        yield wrong(DATABASE, found.said, found.remedy)
    else:
        yield _sqlite(settings) if settings.database.url == "sqlite" else _postgresql(settings.database.url)
    yield _api(settings)


def _sqlite(settings: Settings) -> Finding:
    file = usable.file_of(settings)
    if not file.exists():
        return warning(DATABASE, f"{file} is not there yet", f"{START_GATEWAY}; it makes it")
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=ANSWER_S)) as database:
            tables = database.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
    except sqlite3.Error as error:
        return wrong(DATABASE, f"{file} cannot be read: {error}", "see which program holds it, and look at its disk")
    if not tables:
        return warning(DATABASE, f"{file} is empty", f"{START_GATEWAY}; it fills it")
    return ok(DATABASE, f"SQLite, {tables} tables, {file.stat().st_size / 1e3:.0f} kB")


def _postgresql(url: str) -> Finding:
    where = usable.server_of(url)
    try:
        version = asyncio.run(asyncio.wait_for(_postgresql_version(url), ANSWER_S))
    except ImportError:
        return wrong(DATABASE, "the package asyncpg is missing", "`make setup`")
    except (OSError, TimeoutError) as error:
        return wrong(
            DATABASE, f"{where} does not answer: {error or 'no answer in time'}", "start it, or mend database.url"
        )
    except Exception as error:  # noqa: BLE001  # asyncpg's errors, which are named only where asyncpg is there
        return wrong(DATABASE, f"{where} refuses: {error}", "mend user, password and name in database.url")
    return ok(DATABASE, f"{where}, version {version}")


async def _postgresql_version(url: str) -> str:
    import asyncpg  # type: ignore[import-untyped]  # here, so that the doctor works without it

    # as the gateway reads it: a password may hold signs that end it elsewhere
    connection = await asyncpg.connect(make_url(url).render_as_string(hide_password=False))
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()


def _line(api: ApiSettings) -> http.client.HTTPConnection:
    tls = client_context(api)
    if isinstance(tls, bool):
        return http.client.HTTPConnection(api.host, api.port, timeout=ANSWER_S)
    return http.client.HTTPSConnection(api.host, api.port, timeout=ANSWER_S, context=tls)


def _api(settings: Settings) -> Finding:
    api = settings.api
    where = f"{settings.api_url}/v1/health"
    try:
        line = _line(api)
    except SettingsError as error:
        fault, _, remedy = str(error).partition(" Remedy: ")
        return wrong(API, fault.rstrip("."), remedy.rstrip("."))
    try:
        line.request("GET", "/v1/health")
        response = line.getresponse()
        health = json.loads(response.read(1_000_000))
        said = str(health["status"])
        problems = [str(problem) for problem in health["problems"]]
        remedies = [str(reason["remedy"]) for reason in health.get("reasons", [])]
    except OSError as error:
        return wrong(
            API,
            f"{where} does not answer: {error.strerror or error}",
            f"{START_GATEWAY}. 112 is answered without it, but nothing is stored or told",
        )
    except (http.client.HTTPException, ValueError, KeyError, TypeError):
        return wrong(API, f"another program answers at {where}", "end it, or set api.port to a free one")
    finally:
        line.close()
    if response.status == 200 and not problems:
        return ok(API, f"{where} says {said}")
    level = warning if response.status == 200 else wrong
    return level(API, f"{where} says {said}: {' '.join(problems)}", " ".join(dict.fromkeys(remedies)))
