"""Secrets that the gateway makes: for programs, and for hands."""

from gateway import new_secrets

MANY = 1000


def test_a_programs_secret_is_never_an_option_to_a_command() -> None:
    made = [new_secrets.for_machines() for _ in range(MANY)]
    assert all(each.isascii() and each.isalnum() and len(each) == 32 for each in made)
    assert len(set(made)) == MANY


def test_who_types_a_secret_into_a_phone_takes_no_letter_for_another() -> None:
    made = [new_secrets.for_hands() for _ in range(MANY)]
    assert all(each.isascii() and each.isalnum() and len(each) == 20 for each in made)
    assert not set("".join(made)) & set("0O1lI")
    assert len(set(made)) == MANY
