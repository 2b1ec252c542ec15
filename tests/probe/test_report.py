"""The table says the same to a person, to a pipe and to cron."""

import io

from rich.console import Console

from gateway.probe.report import Course, ProbeReport, Result, render

STEPS = ("it rings", "it answers", "it ends")


def shown(report: ProbeReport, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(render(report))
    return out.getvalue()


def test_a_course_whose_steps_are_all_good_has_passed_and_counts_from_the_invite() -> None:
    course = Course(STEPS, invite_at=1000.0)
    for name, at in zip(STEPS, (999.5, 1000.25, None), strict=True):
        course.good(name, at)
    report = course.report(3.0)
    assert report.passed
    assert [step.at_ms for step in report.steps] == [-500, 250, None]
    assert "112 works" in shown(report)


def test_what_broke_the_course_is_the_first_open_step_and_the_rest_was_not_tried() -> None:
    course = Course(STEPS)
    course.good("it rings", 1.0)
    course.broke("nobody picked up", "hire somebody")
    report = course.report(1.0)
    assert [step.result for step in report.steps] == [Result.OK, Result.FAILED, Result.NOT_TRIED]
    assert not report.passed


def test_a_failure_does_not_end_the_course() -> None:
    course = Course(STEPS)
    course.bad("it rings", "too softly", "turn it up")
    course.good("it answers", 1.0)
    course.good("it ends", 2.0)
    assert [step.result for step in course.report(1.0).steps] == [Result.FAILED, Result.OK, Result.OK]


def test_a_report_without_steps_has_not_passed() -> None:
    assert not ProbeReport((), 0.0).passed


def test_the_table_of_a_failure_tells_in_words_what_and_what_to_do_in_80_columns_of_ascii() -> None:
    course = Course(STEPS)
    course.bad("it rings", "no [bold]tone[/bold] " * 20, "look at [/var]")
    text = shown(course.report(1.0))
    assert "DOES NOT WORK" in text
    assert "FAILED" in text
    assert "not tried" in text
    assert "[bold]tone[/bold]" in text
    assert "Remedy: look at [/var]." in text.replace("\n", " ").replace("  ", " ")
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text


def test_steps_stand_in_the_order_of_time_and_one_without_a_moment_behind_those_before_it() -> None:
    course = Course(("it rings", "it answers", "it is heard", "it is stored", "it ends"), invite_at=1000.0)
    for name, at in (("it rings", 1002.0), ("it answers", 1001.0), ("it is heard", 1003.0), ("it is stored", None)):
        course.good(name, at)
    steps = [(step.name, step.at_ms) for step in course.report(3.0).steps]
    assert steps == [
        ("it answers", 1000),
        ("it rings", 2000),
        ("it is heard", 3000),
        ("it is stored", None),
        ("it ends", None),
    ]


def test_the_table_says_what_time_zero_is() -> None:
    assert "since the call's INVITE, which is time 0" in shown(Course(STEPS).report(1.0))
