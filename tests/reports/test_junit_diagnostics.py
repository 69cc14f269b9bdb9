"""JUnit for diagnostics: a case for each finding; warnings pass."""

import xml.etree.ElementTree as ET

import pytest

from runner import reports
from runner.diagnostics import Label
from runner.reports import Findings
from tests.reports.findings import (
    CONCEALED,
    FILE,
    NASTY,
    SECRET,
    SOURCE,
    WARNING,
    diagnostic,
    nasty,
    of,
    span,
)


def suite(findings: Findings) -> ET.Element:
    document = ET.fromstring(reports.render("junit", "diagnostics", findings))
    assert document.tag == "testsuites"
    found = document.find("testsuite")
    assert found is not None
    cases = found.findall("testcase")
    assert document.get("tests") == found.get("tests") == str(len(cases))
    assert document.get("failures") == found.get("failures") == str(len(found.findall("testcase/failure")))
    return found


def test_an_error_is_a_failed_case() -> None:
    found = diagnostic(help="did you mean it?", related=(Label(span(20, 7, 9), "it stands here"),))
    (case,) = suite(of(found, below="ops/")).findall("testcase")
    assert case.attrib == {
        "classname": f"ops/{FILE}",
        "name": "undefined-reference: no action 'serch'",
        "file": f"ops/{FILE}",
        "line": "3",
    }
    failure = case.find("failure")
    assert failure is not None
    assert failure.attrib == {"type": "undefined-reference", "message": "no action 'serch'"}
    assert failure.text == (
        "error[undefined-reference]: no action 'serch'\n"
        f"  at ops/{FILE}:3:5\n"
        "it stands here\n"
        f"  at ops/{FILE}:20:7\n"
        "help: did you mean it?"
    )


def test_a_warning_is_a_passed_case_that_says_it() -> None:
    (case,) = suite(of(WARNING)).findall("testcase")
    assert case.find("failure") is None
    assert (case.findtext("system-out") or "").startswith("warning[tls-not-verified]: accepts")


def test_nothing_found_is_one_passed_case() -> None:
    (case,) = suite(of()).findall("testcase")
    assert case.get("name") == "3 files"
    assert list(case) == []


def test_cases_have_names_of_their_own_that_hold_no_line() -> None:
    cases = suite(of(diagnostic(), diagnostic(where=span(9)), diagnostic(where=span(11)))).findall("testcase")
    name = "undefined-reference: no action 'serch'"
    assert [case.get("name") for case in cases] == [name, f"{name} (2)", f"{name} (3)"]
    assert [case.get("line") for case in cases] == ["3", "9", "11"]


@pytest.mark.parametrize("text", NASTY)
def test_text_cannot_break_out(text: str) -> None:
    (case,) = suite(of(nasty(text))).findall("testcase")
    shown = reports.visible(text)
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == shown
    assert case.get("file") == f"workflows.d/{shown}.yaml"
    assert (failure.text or "").splitlines()[0] == f"error[undefined-reference]: {shown}"


def test_a_concealed_text_shows_in_no_way() -> None:
    assert SECRET not in reports.render("junit", "diagnostics", of(CONCEALED, texts={FILE: SOURCE}))
