"""JSON and JUnit reports, and the text of runs and of tests of connections."""

import json
import xml.etree.ElementTree as ET

import pytest

from runner import reports
from runner.diagnostics import error
from runner.errors import Failure, FailureKind, UsageError
from runner.reports import Findings
from runner.reports.json import dumps
from runner.result import ActionResult, RunResult, Status
from runner.source import Position, Span

PLACE = Span("workflows.d/a.yaml", Position(3, 5), Position(3, 9))
FAILURE = Failure(
    kind=FailureKind.TIMEOUT, message="no answer within 30s", help="raise `timeout`", span=PLACE
)


def action(ident: str, status: Status = Status.SUCCEEDED, **more: object) -> ActionResult:
    given: dict[str, object] = {"key": ident, "id": ident, "section": "actions", "kind": "request"} | more
    return ActionResult(status=status, **given)  # type: ignore[arg-type]


def result(
    *actions: ActionResult, status: Status = Status.SUCCEEDED, error: Failure | None = None
) -> RunResult:
    return RunResult(
        run_id="20260102T030405-abcd",
        workflow="escalate",
        status=status,
        started_at="2026-01-02T03:04:05.678Z",
        duration=1.5,
        user="ann",
        actions=actions,
        error=error,
        outputs={"n": 1},
    )


def test_diagnostics_as_json() -> None:
    found = error("wrong-type", "m", PLACE, help="h")
    data = json.loads(reports.render("json", "diagnostics", Findings(diagnostics=(found,), files=4)))
    assert data == {
        "format": "runner.d/diagnostics/1",
        "diagnostics": [
            {
                "rule": "wrong-type",
                "severity": "error",
                "message": "m",
                "file": "workflows.d/a.yaml",
                "line": 3,
                "column": 5,
                "end_line": 3,
                "end_column": 9,
                "help": "h",
            }
        ],
        "errors": 1,
        "warnings": 0,
        "files": 4,
    }


def test_a_run_as_json_names_its_form() -> None:
    data = json.loads(reports.render("json", "run", result(action("a"))))
    assert data["format"] == "runner.d/run/1"
    assert data["actions"][0]["id"] == "a"


def test_connection_tests_as_json() -> None:
    data = json.loads(
        reports.render("json", "connection_tests", [{"connection": "a", "classification": "ok"}])
    )
    assert data == {
        "format": "runner.d/connection-tests/1",
        "connections": [{"connection": "a", "classification": "ok"}],
    }


@pytest.mark.parametrize("text", ["\x9b31m", "a\u202eb", "\x7f", "\u2028", "日本", "\ud800", "\x1b[2J"])
def test_json_holds_nothing_that_a_terminal_acts_on(text: str) -> None:
    written = dumps({text: text})
    assert json.loads(written) == {text: text}
    assert not set(written) & set("\x9b\u202e\x7f\u2028\x1b")


def test_json_has_no_numbers_that_are_none() -> None:
    assert json.loads(dumps({"a": [float("inf"), float("nan"), 1.5]})) == {"a": [None, None, 1.5]}


def suite(run: RunResult) -> ET.Element:
    document = ET.fromstring(reports.render("junit", "run", run))
    assert document.tag == "testsuites"
    found = document.find("testsuite")
    assert found is not None
    return found


def test_junit_has_a_case_for_each_action() -> None:
    found = suite(
        result(
            action("a", record={"duration": 0.25}),
            action("b", Status.FAILED, error=FAILURE),
            action("c", Status.SKIPPED, reason="an action before it failed"),
            action("d", Status.FAILED, error=FAILURE, handled=True),
            status=Status.FAILED,
            error=FAILURE,
        )
    )
    assert {name: found.get(name) for name in ("name", "tests", "failures", "errors", "skipped", "time")} == {
        "name": "escalate",
        "tests": "4",
        "failures": "1",
        "errors": "0",
        "skipped": "1",
        "time": "1.500",
    }
    assert found.get("timestamp") == "2026-01-02T03:04:05"
    a, b, c, d = found.findall("testcase")
    assert (a.get("classname"), a.get("name"), a.get("time")) == ("escalate.actions", "a", "0.250")
    failure = b.find("failure")
    assert failure is not None
    assert failure.get("type") == "timeout"
    assert failure.get("message") == "no answer within 30s"
    assert failure.text == "no answer within 30s\nat workflows.d/a.yaml:3:5\nhelp: raise `timeout`"
    skipped = c.find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "an action before it failed"
    assert d.find("failure") is None
    assert "on_error: continue" in (d.findtext("system-out") or "")


@pytest.mark.parametrize(
    ("status", "error"),
    [(Status.TIMED_OUT, FAILURE), (Status.INTERRUPTED, None), (Status.FAILED, FAILURE)],
)
def test_junit_is_never_green_for_a_run_that_is_not(status: Status, error: Failure | None) -> None:
    found = suite(result(action("a"), status=status, error=error))
    assert (found.get("errors"), found.get("tests")) == ("1", "2")
    case = found.findall("testcase")[-1]
    assert case.get("name") == "run"
    assert case.find("error") is not None


def test_junit_is_xml_whatever_the_server_said() -> None:
    nasty = 'a\x00\x1b[31m\ufffe\ud800 & <b> "q" \t\n]]>'
    said = Failure(kind=FailureKind.EXPECTATION, message=nasty)
    found = suite(
        result(action("a", Status.FAILED, error=said, name=nasty), status=Status.FAILED, error=said)
    )
    failure = found.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == 'a[31m & <b> "q" \t\n]]>'


def test_a_run_as_text() -> None:
    printed = reports.render(
        "text",
        "run",
        result(
            action(
                "search",
                record={
                    "request": {"method": "GET", "url": "https://example.com/x\x1b"},
                    "response": {"status": 200},
                    "attempts": [{}, {}],
                    "duration": 1.25,
                },
            ),
            action("page", Status.FAILED, error=FAILURE, record={"duration": 0.002}),
            action("rest", Status.SKIPPED, reason="an action before it failed"),
            status=Status.FAILED,
            error=FAILURE,
        ),
    )
    assert printed == (
        "ok       search  GET https://example.com/x\\x1b  200  1.2s  2 attempts\n"
        "FAILED   page  request  2ms\n"
        "         error[timeout]: no answer within 30s\n"
        "           --> workflows.d/a.yaml:3:5\n"
        "           = help: raise `timeout`\n"
        "skipped  rest  an action before it failed\n"
        "escalate failed in 1.5s as ann: 1 succeeded, 1 failed, 1 skipped (run 20260102T030405-abcd)\n"
    )


def test_a_failure_of_the_run_itself_is_told_once() -> None:
    printed = reports.render("text", "run", result(status=Status.TIMED_OUT, error=FAILURE))
    assert printed.count("no answer within 30s") == 1
    assert "escalate timed out in 1.5s" in printed


def test_connection_tests_as_text() -> None:
    printed = reports.render(
        "text",
        "connection_tests",
        [
            {"connection": "a", "classification": "ok", "method": "GET", "url": "https://a/me", "status": 200,
             "duration": 0.012},
            {"connection": "bb", "classification": "unauthorized", "message": "401\n", "help": "renew",
             "method": "GET", "url": "https://b/me", "status": 401, "duration": 0.012,
             "file": "connections.d/bb.yaml", "line": 7},
        ],
    )  # fmt: skip
    assert printed == (
        "ok            a   GET https://a/me  200  12ms\n"
        "unauthorized  bb  GET https://b/me  401  12ms\n"
        "    401\\n\n"
        "    --> connections.d/bb.yaml:7\n"
        "    = help: renew\n"
        "1 of 2 connections ok\n"
    )


def test_an_unknown_format_is_a_wrong_usage_that_lists_what_fits() -> None:
    with pytest.raises(UsageError) as caught:
        reports.load("xml", "run")
    assert caught.value.help == "formats: html, json, junit, markdown, text"
    with pytest.raises(UsageError, match="no format 'junit' for plans"):
        reports.load("junit", "plan")
