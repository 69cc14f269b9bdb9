"""SARIF: valid by its official schema, and its places, rules and fingerprints are right."""

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator

from runner import __version__, registry, reports
from runner.diagnostics import Label
from runner.reports import Findings
from tests.reports.findings import (
    CONCEALED,
    FILE,
    LONG,
    NASTY,
    SECRET,
    SOURCE,
    WARNING,
    WHOLE,
    diagnostic,
    nasty,
    of,
    span,
)
from tests.vendored_schemas import schema_store

SCHEMA = schema_store("sarif-2.1.0")


def log(findings: Findings) -> dict[str, Any]:
    text = reports.render("sarif", "diagnostics", findings)
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    data: dict[str, Any] = json.loads(text)
    assert [problem.message for problem in Draft7Validator(SCHEMA).iter_errors(data)] == []
    assert len(data["runs"]) == 1
    run: dict[str, Any] = data["runs"][0]
    return run


def test_the_schema_is_the_official_one_and_refuses_what_is_not_sarif() -> None:
    assert SCHEMA["$id"].endswith("/sarif-schema-2.1.0.json")
    assert not Draft7Validator(SCHEMA).is_valid({"version": "2.1.0", "runs": [{"results": []}]})
    wrong = json.loads(reports.render("sarif", "diagnostics", of(diagnostic())))
    wrong["runs"][0]["results"][0]["level"] = "bad"
    assert not Draft7Validator(SCHEMA).is_valid(wrong)


def test_a_result_has_place_rule_message_and_fingerprint() -> None:
    found = diagnostic(help="did you mean it?", related=(Label(span(20, 7, 9), "it stands here"),))
    run = log(of(found))
    assert run["columnKind"] == "unicodeCodePoints"
    (result,) = run["results"]
    fingerprint = result.pop("partialFingerprints")
    assert list(map(len, fingerprint.values())) == [64]
    artifact = {"uri": FILE, "uriBaseId": "%SRCROOT%"}
    assert result == {
        "ruleId": "undefined-reference",
        "ruleIndex": 0,
        "level": "error",
        "message": {"text": "no action 'serch'. Help: did you mean it?"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": artifact,
                    "region": {"startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 9},
                }
            }
        ],
        "relatedLocations": [
            {
                "id": 1,
                "physicalLocation": {
                    "artifactLocation": artifact,
                    "region": {"startLine": 20, "startColumn": 7, "endLine": 20, "endColumn": 9},
                },
                "message": {"text": "it stands here"},
            }
        ],
    }


def test_rules_are_described_by_their_pages() -> None:
    run = log(of(WARNING, diagnostic(), diagnostic(rule="yaml-syntax"), WARNING))
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("runner.d", __version__)
    assert [rule["id"] for rule in driver["rules"]] == [
        "tls-not-verified",
        "undefined-reference",
        "yaml-syntax",
    ]
    assert [result["ruleIndex"] for result in run["results"]] == [0, 1, 2, 0]
    tls, _, syntax = driver["rules"]
    assert tls["shortDescription"]["text"] == registry.load("rules", "tls-not-verified").SUMMARY
    assert tls["defaultConfiguration"]["level"] == "warning"
    assert "```" not in tls["help"]["text"]
    assert tls["help"]["markdown"].count("```yaml\n") == 2
    assert "```bad" not in tls["help"]["markdown"]
    assert syntax["shortDescription"]["text"] == "yaml syntax"


@pytest.mark.parametrize("name", registry.names("rules"))
def test_every_rule_can_be_described(name: str) -> None:
    assert log(of(diagnostic(rule=name)))["tool"]["driver"]["rules"][0]["id"] == name


def test_places_over_lines_and_of_whole_files() -> None:
    long, whole = (
        result["locations"][0]["physicalLocation"]["region"] for result in log(of(LONG, WHOLE))["results"]
    )
    assert long == {"startLine": 2, "startColumn": 3, "endLine": 6, "endColumn": 4}
    assert whole == {"startLine": 1}


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("workflows.d/a b.yaml", "ops/workflows.d/a%20b.yaml"),
        ("workflows.d/é#?%.yaml", "ops/workflows.d/%C3%A9%23%3F%25.yaml"),
        ("/else where/a.yaml", "file:///else%20where/a.yaml"),
    ],
)
def test_files_are_uris(path: str, uri: str) -> None:
    (result,) = log(of(diagnostic(where=span(path=path)), below="ops/"))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_nothing_found_is_a_run_without_results() -> None:
    run = log(of())
    assert run["results"] == []
    assert run["tool"]["driver"]["rules"] == []


@pytest.mark.parametrize("text", NASTY)
def test_text_cannot_break_out(text: str) -> None:
    (result,) = log(of(nasty(text)))["results"]
    shown = reports.visible(text).replace("](", "] (")
    assert result["message"]["text"] == (f"{shown}. Help: {shown}" if text else shown)


def test_a_concealed_text_shows_in_no_way() -> None:
    text = reports.render("sarif", "diagnostics", of(CONCEALED, texts={FILE: SOURCE}))
    assert SECRET not in text
    assert "endColumn" not in text, "its length says something too"
