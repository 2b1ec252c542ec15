"""What a number looks like to those who need not know it, and where it is looked for."""

import pytest

from gateway.domain.masking import mask, masked


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("08123456789", "0812****789"),
        ("+628123456789", "+628******789"),
        ("0318945555", "0318***555"),
        ("81234567", "81****67"),
        ("0811", "****"),
        ("budi.santoso", "budi*****oso"),
        ("anonymous", "anonymous"),
        ("", ""),
        ("112", "112"),
        ("00000000", "00000000"),
    ],
)
def test_a_masked_number_keeps_its_carrier_its_end_and_its_length(number: str, shown: str) -> None:
    assert mask(number) == shown


def test_numbers_are_masked_in_their_fields_and_wherever_they_stand_in_a_text() -> None:
    told = {
        "caller": "0812345678",
        "caller_name": "0812345678",
        "diversion": "<sip:08111222333@carrier>;reason=unconditional",
        "before": [{"number": "+62812345678", "note": "he is at +62812345678 or 0811-2223-334"}],
        "kind": "flood_number",
        "subject": "8765432",
        "detail": "8765432 calls again and again",
    }
    assert masked(told) == {
        "caller": "0812***678",
        "caller_name": "0812***678",
        "diversion": "<sip:0811****333@carrier>;reason=unconditional",
        "before": [{"number": "+628*****678", "note": "he is at +628*****678 or 0811******334"}],
        "kind": "flood_number",
        "subject": "87***32",
        "detail": "87***32 calls again and again",
    }


@pytest.mark.parametrize(
    "number",
    [
        *("0812-34567890", "0812 34567890", "0812.3456.7890", "0812 3456 7890", "0812-3456-7890", "031-8123456"),
        *("(031) 8123456", "62 812 3456 7890", "+62 812-3456-7890", "+62.812.3456.7890", "0274 512 345 678"),
        *(
            "+62 (0)812 3456 7890",
            "+62 (812) 3456 7890",
            "0812 - 3456 - 7890",
            "0812. 3456. 7890",
            "0812\u20133456\u20137890",
        ),
        *("081.234.567.890", "021.555.123.45", "62.812.345.678", "+62.21.555.123"),
    ],
)
def test_a_number_is_masked_however_people_write_it_in_a_note(number: str) -> None:
    told = masked({"note": f"same man, {number}, again"})["note"]
    assert sum(each.isdigit() for each in told) <= 7
    assert told.startswith("same man, ")
    assert told.endswith(", again")


@pytest.mark.parametrize(
    "note",
    [
        *(
            "on 01-02-2026 10:30 at km 12",
            "02/01/2026, 08:15",
            "2026-11-26 08:15:12",
            "26.11.2026",
            "Jl. Ahmad Yani 100-102",
        ),
        *(
            "0812 345",
            "room 0812",
            "192.168.100.200",
            "62.113.200.10",
            "62.255.249.199",
            "62.1.2.3",
            "10.0.0.21",
            "listens on 0.0.0.0",
            "call 112-1795476254.0",
            "40 silent calls in 60 minutes",
        ),
    ],
)
def test_what_is_no_number_in_a_note_stays(note: str) -> None:
    assert masked({"note": note}) == {"note": note}


@pytest.mark.parametrize(
    "told",
    [
        {
            "id": "112-1795476254.0",
            "url": "/v1/calls/112-1795476254.0/recording",
            "file": "2026/11/26/112-1795476254.1.raw",
        },
        {"at": "2026-08-17T03:00:00.123456Z", "size_bytes": 123456789012, "wait_s": 12.25, "is_probe": False},
        {"previous": "1" * 64, "address": "192.168.100.200", "phone": "081234567890", "relieved_by": "0318945555"},
        {
            "phones": [{"number": "0318945555", "trunk": "telkom"}],
            "access_network": "cgi=51001123456789",
            "queue": None,
        },
    ],
)
def test_what_is_no_callers_number_stays(told: dict[str, object]) -> None:
    assert masked(told) == told
