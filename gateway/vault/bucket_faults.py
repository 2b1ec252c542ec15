"""Why a bucket did not do what it was asked, in plain words: what happened, which setting it hangs on, what to do.

Counterpart: `bucket.py`, whose library tells of a fault in one long text, with the server's own answer in it.
"""

import re

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z]{1,64})</Code>")

_KEYS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthorizationHeaderMalformed"})
_REGION = frozenset({"PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException"})
_FULL = frozenset(
    {"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "StorageFull", "InsufficientStorage"}
)
_BUSY = frozenset({"SlowDown", "ServiceUnavailable", "TooManyRequests", "RequestTimeout", "Busy"})


def code_of(text: str) -> str:
    """The S3 error code that the server answered; empty where it gave none."""
    found = _CODE.search(text)
    return found[1] if found else ""


def says_no_bucket(text: str) -> bool:
    """Whether there is no such bucket at all, which is another thing than no such file."""
    return code_of(text) == "NoSuchBucket"


def says_past_the_end(text: str) -> bool:
    """Whether a range begins past the end of the file (RFC 9110, 15.5.17)."""
    status = _STATUS.search(text)
    return status is not None and status[1] == "416"


def in_words(text: str, bucket: str, place: str) -> str:
    """The library's text of a fault as one sentence and its remedy. `place` is the bucket with its server."""
    where = f"the bucket {place}"
    return _of_the_server(text, where, bucket) or _of_the_way(text, where) or f"{where}: {_first_line(text)}"


def _of_the_server(text: str, where: str, bucket: str) -> str | None:
    status, code = _STATUS.search(text), code_of(text)
    number = int(status[1]) if status else 0
    answer = f"{number} {code}".strip() if number else code
    if not answer:
        return None
    if code in _KEYS or (number == 401 and not code):
        return f"{where} does not take the key ({answer}). Remedy: correct vault.access_key and vault.secret"
    if code == "RequestTimeTooSkewed":
        return f"{where} says that this machine's clock is wrong ({answer}). Remedy: set the clock, by NTP"
    if code == "NoSuchBucket":
        return f"{where} is not there ({answer}). Remedy: make it, or correct vault.bucket"
    if code in _REGION or number in (301, 307):
        return f"{where} lies elsewhere ({answer}). Remedy: correct vault.region and vault.endpoint"
    if code in _FULL or number == 507:
        return f"{where} is full ({answer}). Remedy: raise its quota, or give its server more space"
    if number == 403:
        return (
            f"{where} refuses what was asked ({answer}): the key has no right to it, or the bucket is not there, or it "
            f"is full. Remedy: let the key read, write, list and delete in {bucket}, and see that there is room"
        )
    if code in _BUSY or number in (408, 429, 503):
        return f"{where} has too much to do ({answer}). Remedy: none here; it is asked again"
    if number >= 500:
        return f"{where} has a fault ({answer}); it may be full. Remedy: look at that server's own log and space"
    return f"{where} answers {answer}. Remedy: see that vault.endpoint is an S3 server's address"


def _of_the_way(text: str, where: str) -> str | None:
    """What keeps a request from getting there."""
    if "dns error" in text:
        return f"{where}: that host's name is not known. Remedy: correct vault.endpoint, or mend the name service"
    if "kind: Timeout" in text or "TimedOut" in text or "timed out" in text:
        return f"{where} did not answer in time. Remedy: look at the line to it and at its server"
    if "ConnectionRefused" in text:
        return f"{where}: nothing listens there. Remedy: start its server, or correct vault.endpoint"
    if "InvalidCertificate(" in text:
        return (
            f"{where}: its certificate is not trusted here. Remedy: install its authority's certificate on this machine"
        )
    if "HTTP error" in text:
        return f"{where} cannot be reached, or broke off. Remedy: look at the line to it; see vault.endpoint"
    return None


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:300] or "it failed without a word"
