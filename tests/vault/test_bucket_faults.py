"""What S3 servers say when something is wrong, as this software says it: also what the tests' own server never says."""

import pytest

from gateway.vault.bucket_faults import in_words, says_no_bucket, says_past_the_end

BUCKET, ENDPOINT = "s3://certificates/InvalidCert", "https://s3.example.go.id:41655"


def answered(status: int, code: str = "") -> str:
    """As the library tells of an answer."""
    body = f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>.</Message></Error>' if code else ""
    return (
        f"Generic S3 error: Error performing PUT {ENDPOINT}/certificates/InvalidCert/507.ogg in 1.2ms, after 2 "
        f"retries, max_retries: 2, retry_timeout: 8s - Server returned non-2xx status code: {status} Words: {body}"
    )


def on_the_way(fault: str) -> str:
    """As the library tells of a request that got no answer."""
    return (
        f"Generic S3 error: Error performing PUT {ENDPOINT}/x in 1.2ms - HTTP error: error sending request\n\n{fault}"
    )


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        (answered(403, "InvalidAccessKeyId"), "does not take the key", "vault.secret"),
        (answered(401), "does not take the key (401)", "vault.access_key"),
        (answered(403, "RequestTimeTooSkewed"), "clock is wrong", "NTP"),
        (answered(404, "NoSuchBucket"), "is not there", "vault.bucket"),
        (answered(301, "PermanentRedirect"), "lies elsewhere", "vault.region"),
        (answered(507), "is full (507)", "quota"),
        (answered(403, "QuotaExceeded"), "is full", "quota"),
        (answered(507, "XMinioStorageFull"), "is full", "space"),
        (answered(403, "AccessDenied"), "refuses what was asked", "list and delete"),
        (answered(503, "SlowDown"), "too much to do", "asked again"),
        (answered(429), "too much to do", "asked again"),
        (answered(500, "InternalError"), "has a fault (500 InternalError); it may be full", "log and space"),
        (answered(405, "MethodNotAllowed"), "answers 405 MethodNotAllowed", "vault.endpoint"),
        (on_the_way('ConnectError("dns error")'), "name is not known", "vault.endpoint"),
        (on_the_way("kind: Timeout"), "did not answer in time", "line"),
        (on_the_way("kind: ConnectionRefused"), "nothing listens there", "vault.endpoint"),
        (on_the_way("InvalidCertificate(\n UnknownIssuer"), "certificate is not trusted", "authority's certificate"),
        (on_the_way("kind: ConnectionReset"), "cannot be reached, or broke off", "line"),
    ],
)
def test_each_fault_is_one_sentence_with_its_remedy(text: str, said: str, remedy: str) -> None:
    what, _, to_do = in_words(text, BUCKET, f"{BUCKET} at {ENDPOINT}").partition(". Remedy: ")
    assert BUCKET in what
    assert said in what
    assert remedy in to_do
    assert "\n" not in what + to_do


def test_what_nobody_foresaw_is_told_in_the_librarys_own_first_line() -> None:
    assert (
        in_words("It is odd.\nDebug source: …", BUCKET, f"{BUCKET} at Amazon S3")
        == f"the bucket {BUCKET} at Amazon S3: It is odd."
    )


def test_a_missing_bucket_and_a_range_past_the_end_are_told_apart_from_the_rest() -> None:
    assert says_no_bucket(answered(404, "NoSuchBucket"))
    assert not says_no_bucket(answered(404, "NoSuchKey"))
    assert says_past_the_end(answered(416, "InvalidRange"))
    assert not says_past_the_end(answered(403, "AccessDenied").replace("507.ogg", "416.ogg"))
