"""The dialplan has no dead end: every jump has a target, every way out of the queue is handled."""

import re

import pytest

from gateway.asterisk.sections import of_queue
from gateway.domain.queues import first_queue
from gateway.settings import PROJECT
from tests.dialplan.dialplan import Context, functions, jumps, read, steps

CONTEXTS = read(PROJECT / "dialplan")

QUEUESTATUSES = {
    "TIMEOUT",
    "FULL",
    "JOINEMPTY",
    "LEAVEEMPTY",
    "JOINUNAVAIL",
    "LEAVEUNAVAIL",
    "CONTINUE",
    "WITHDRAW",
}
"""Every value that the application Queue documents."""

OWN_PEOPLES = {
    "own-line",
    *("from-operator", "duty", "disposition", "ask-for-key", "whisper"),
    *("from-centre", "from-callback", "callback-line"),
    *("consult", "bring-in", "third", "third-rung", "third-answered"),
}
"""Where the centre's own people are on the line: there a call may end. A caller's may not."""

ALL_STEPS = list(steps(CONTEXTS))
JUMPS = [jump for context, exten, step in ALL_STEPS for jump in jumps(context, exten, step)]


@pytest.mark.parametrize("jump", JUMPS, ids=lambda jump: f"{jump.step.file}:{jump.step.line}")
def test_every_goto_has_a_target(jump: object) -> None:
    from tests.dialplan.dialplan import Jump

    assert isinstance(jump, Jump)
    assert jump.context in CONTEXTS, jump
    extensions = CONTEXTS[jump.context].extensions
    if "${" in jump.exten:
        assert jump.context == "queue-exit", "only the queue's exits are chosen by a value"
        return
    assert jump.exten in extensions, jump
    labels = {step.label for step in extensions[jump.exten]} | {"1"}
    assert jump.label in labels, jump


def test_there_are_jumps_to_check() -> None:
    assert len(JUMPS) > 15


def test_every_queuestatus_has_its_exit_and_an_unknown_one_too() -> None:
    exits = CONTEXTS["queue-exit"].extensions
    assert QUEUESTATUSES | {"NOQUEUE", "_[A-Z]."} <= exits.keys()


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=lambda context: context.name)
def test_every_context_opens_with_who_may_reach_it(context: Context) -> None:
    assert "May be reached by" in context.opening


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=lambda context: context.name)
def test_every_extension_ends_in_a_jump_so_that_no_caller_falls_off(context: Context) -> None:
    for exten, sequence in context.extensions.items():
        last = sequence[-1]
        if exten == "h" or context.name in OWN_PEOPLES or last.label == "over":
            continue
        comes_back = last.application == "Return" and "by Gosub" in context.opening
        goes_on = last.application == "Goto" or comes_back or len(jumps(context, exten, last)) == 2
        assert goes_on, f"{last.file}:{last.line}"


def test_no_callers_way_leads_to_a_context_of_the_centres_own_people() -> None:
    for jump in JUMPS:
        if jump.context in OWN_PEOPLES:
            assert any(
                context.name in OWN_PEOPLES and jump.step in sequence
                for context in CONTEXTS.values()
                for sequence in context.extensions.values()
            ), jump


def test_nobody_is_hung_up_on_but_the_centres_own_people_and_a_caller_whose_operator_hung_up() -> None:
    ends = [
        (context.name, step.label)
        for context, _, step in ALL_STEPS
        if step.application in {"Hangup", "Busy", "Congestion"} and context.name not in OWN_PEOPLES
    ]
    assert ends == [(name, "over") for name in ("fallback", "queue", "from-carrier", "from-carrier")]
    no_carriers = [jump.step.arguments for jump in JUMPS if (jump.context, jump.label) == ("from-carrier", "over")]
    assert no_carriers.count('$["${CHANNEL(channeltype)}" = "PJSIP"]?carrier:over') == 2
    vanished = '$["${CHANNEL(hangupsource)}" = ""]'
    over = [jump for jump in JUMPS if jump.label == "over" and jump.context in ("queue", "fallback")]
    ways = {(jump.context, jump.exten): jump.step.arguments for jump in over}
    assert ways == {
        ("queue", "s"): f"{vanished}?left:over",
        ("fallback", "talked"): f"{vanished}?back:over",
    }
    before = CONTEXTS["queue"].extensions["s"]
    place = next(place for place, step in enumerate(before) if step.arguments == ways[("queue", "s")])
    assert before[place - 1].arguments == '$["${QUEUESTATUS}" != "CONTINUE"]?left'
    taken = [jump for jump in JUMPS if jump.exten == "talked" and jump.context == "fallback"]
    to_it = [jump.step.arguments for jump in taken]
    asked = [arguments for arguments in to_it if not arguments.startswith(vanished)]
    assert len(asked) == 2
    assert all(arguments.startswith('$["${DIALSTATUS}" = "ANSWER"]?talked,1') for arguments in asked)


def test_no_note_is_read_before_112_has_answered() -> None:
    """Where the disk stalls under Asterisk's own database, who reads there waits for it."""
    answered = CONTEXTS["emergency"].extensions["112"]
    place = next(place for place, step in enumerate(answered) if step.application == "Answer")
    before = [*answered[:place], *(step for context, _, step in ALL_STEPS if step.file == "trunk.conf")]
    assert len(before) > 30
    assert not [step for step in before if "DB(" in step.arguments]


def test_who_hung_up_is_forgotten_before_anybody_takes_a_caller() -> None:
    checked = 0
    for context, exten, step in ALL_STEPS:
        if context.name not in ("queue", "fallback"):
            continue
        if step.application == "TryExec" and step.arguments.startswith(("Queue(", "Dial(")):
            sequence = context.extensions[exten]
            before = [each.arguments for each in sequence[: sequence.index(step)]][-4:]
            assert "CHANNEL(hangupsource)=" in before, f"{step.file}:{step.line}"
            checked += 1
    assert checked == 3


def test_whatever_takes_a_caller_is_tried_so_that_its_failure_ends_no_call() -> None:
    """Queue() and Dial() return as if the caller had hung up where the two lines cannot be joined."""
    bare = [step for _, _, step in ALL_STEPS if step.application in ("Queue", "Dial")]
    assert not bare


def test_an_operators_phone_reaches_phones_of_the_centres_own_and_agencies_that_an_admin_wrote_down() -> None:
    """A phone is digits: what is dialled after PJSIP/ is an endpoint of that name, and never a number at a trunk."""
    dialled = {
        step.arguments.partition(",")[0]
        for context, _, step in ALL_STEPS
        if context.name in ("consult", "third") and step.application == "TryExec"
    }
    assert dialled == {f"Dial(PJSIP/${{{name}}}" for name in ("TO", "PHONE")}
    given: dict[str, set[str]] = {"TO": set(), "PHONE": set(), "REST": set()}
    for context, _, step in ALL_STEPS:
        name, _, value = step.arguments.partition("=")
        if step.application == "Set" and name in given and context.name in ("from-operator", "consult", "third"):
            given[name].add(value)
        if step.application == "Read" and context.name == "bring-in":
            given["TO"].add("asked for")
    assert given == {
        "TO": {"${FILTER(0-9,${EXTEN})}", "asked for"},
        "PHONE": {"${SHIFT(REST,&)}"},
        "REST": {"${DB(gateway112/agency/${SERVICE}/phones)}", "${FILTER(0-9,${TO})}"},
    }


CALLER_SUPPLIED = re.compile(
    r"\$\{(EXTEN|CALLERID\([a-z]+\)|PJSIP_HEADER\([^)]*\)|CHANNEL\(pjsip,[^)]*\)|GEOLOC[^)]*\))"
)


def test_every_value_that_a_caller_supplies_is_filtered_or_encoded() -> None:
    seen = 0
    for _, _, step in ALL_STEPS:
        for found in CALLER_SUPPLIED.finditer(step.arguments):
            seen += 1
            before = step.arguments[: found.start()]
            assert before.endswith("URIENCODE(") or re.search(r"FILTER\([^,()]*,$", before), (
                f"{step.file}:{step.line}: {found[0]}"
            )
    assert seen >= 8


def test_nothing_that_is_said_to_who_waits_keeps_an_operator_from_him() -> None:
    # while app_queue announces something to a caller it does not look whose turn it is
    kept = dict(
        re.findall(r"^([a-z-]+) = (.*)$", (PROJECT / "asterisk-config/queues_kept.conf").read_text(), re.MULTILINE)
    )
    assert kept["periodic-announce-frequency"] == "0"
    assert dict(of_queue(first_queue("emergency", None)).values)["announce-frequency"] == "0"
    queued = [step.arguments for _, _, step in ALL_STEPS if step.arguments.startswith("Queue(")]
    assert [each.split(",")[2:4] for each in queued] == [["", ""]]


def test_every_prompt_that_is_played_has_its_text_in_both_languages() -> None:
    played = {step.arguments for _, _, step in ALL_STEPS if step.application == "Playback"}
    played |= {step.arguments.removeprefix("WHY=") for _, _, step in ALL_STEPS if step.arguments.startswith("WHY=")}
    played -= {"${GREETING}", "${WHY}"}
    for _, _, step in ALL_STEPS:
        if step.application == "Read":
            played |= set(step.arguments.split(",")[1].split("&")) - {"${MENU}"}
        if step.arguments.startswith("MENU="):
            played |= set(re.findall(r"menu-[a-z]+", step.arguments))
    for stem, digits in (("disposition-${DIGIT}", "234567"), ("category-${CATEGORY}", "12345")):
        played.remove(stem)
        played |= {f"{stem.partition('$')[0]}{digit}" for digit in digits}
    played |= {"greeting"}
    # what app_queue says of a place in the queue
    played |= {"queue-thereare", "queue-callswaiting", "queue-youarenext", "queue-thankyou"}
    for language in ("id", "en"):
        texts = {path.stem for path in (PROJECT / "dialplan/prompts" / language).glob("*.txt")}
        assert played <= texts, language


def test_the_steps_that_the_dialplan_writes_are_the_steps_that_the_translator_knows() -> None:
    from gateway.asterisk.translator import _DIALLED, _OF_A_THIRD, _STEPS, ASKED_FOR_KEY

    written = {step.arguments.split(",")[0] for _, _, step in ALL_STEPS if step.application == "CELGenUserEvent"}
    assert written == {*_STEPS, *_DIALLED, *_OF_A_THIRD, "RING", "CALLBACK", ASKED_FOR_KEY}


def test_no_sign_to_cut_at_is_written_by_its_code() -> None:
    """Asterisk takes the backslash away from what CUT and SHIFT are given: a \\x2C cuts at an x. FILTER reads it."""
    for _, _, step in ALL_STEPS:
        assert not re.search(r"(CUT|SHIFT)\([^()]*\\x", step.arguments), step


def applications_and_functions() -> tuple[set[str], set[str]]:
    applications = {step.application for _, _, step in ALL_STEPS}
    return applications, {name for _, _, step in ALL_STEPS for name in functions(step)}


def test_nothing_in_it_can_start_a_program_and_no_module_that_could_is_loaded() -> None:
    loaded = (PROJECT / "asterisk-config/modules.conf").read_text()
    for name in ("app_system", "func_shell", "res_agi", "app_externalivr", "func_env", "func_curl", "func_odbc"):
        assert name not in loaded
    mixes = [step for _, _, step in ALL_STEPS if step.application == "MixMonitor"]
    assert mixes
    for step in mixes:  # the third argument would be a command line
        assert step.arguments.count(",") == 1, step
    manager = (PROJECT / "asterisk-config/manager.conf").read_text()
    rights = {
        right.strip()
        for line in manager.splitlines()
        if line.startswith(("read =", "write ="))
        for right in line.partition("=")[2].split(",")
    }
    assert rights
    assert not rights & {"command", "all", "agi"}
