"""SARIF 2.1.0, for code scanning and for everything else that reads results of static analysis.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
Source text is left out: who shows the results has the files, and a typed-in credential must not spread.
"""

import json
from urllib.parse import quote

from runner import __version__, registry
from runner.diagnostics import Diagnostic, Label
from runner.errors import JsonObject
from runner.reports import Findings, about_file, visible
from runner.source import Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def diagnostics(findings: Findings) -> str:
    """Give one run with a result for each diagnostic."""
    rules = sorted({item.rule for item in findings.diagnostics})
    results = [
        _result(item, rules.index(item.rule), fingerprint, findings)
        for item, fingerprint in zip(findings.diagnostics, findings.fingerprints, strict=True)
    ]
    driver = {"name": "runner.d", "version": __version__, "rules": [_rule(name) for name in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2).replace("\x7f", "\\u007f") + "\n"


def _rule(name: str) -> JsonObject:
    """Describe a rule by its page; rules of reading have none."""
    if name not in registry.names("rules"):
        return {"id": name, "shortDescription": {"text": name.replace("-", " ")}}
    module = registry.load("rules", name)
    page = (module.__doc__ or "").strip()
    prose = page.partition("\n```")[0].strip()
    formatted = page.replace("```bad\n", "Bad:\n\n```yaml\n").replace("```good\n", "\nGood:\n\n```yaml\n")
    return {
        "id": name,
        "shortDescription": {"text": module.SUMMARY},
        "fullDescription": {"text": page.partition("\n")[0]},
        "help": {"text": prose, "markdown": formatted},
        "defaultConfiguration": {"level": module.SEVERITY.value},
    }


def _result(item: Diagnostic, rule: int, fingerprint: str, findings: Findings) -> JsonObject:
    said = f"{item.message}. Help: {item.help}" if item.help else item.message
    result: JsonObject = {
        "ruleId": item.rule,
        "ruleIndex": rule,
        "level": item.severity.value,
        "message": {"text": _text(said)},
        "locations": [_location(item.primary, findings)],
        "partialFingerprints": {"runner.d/v1": fingerprint},
    }
    if item.related:
        result["relatedLocations"] = [
            {"id": number, **_location(label, findings, "related")}
            for number, label in enumerate(item.related, 1)
        ]
    return result


def _location(label: Label, findings: Findings, default: str = "") -> JsonObject:
    place = {"artifactLocation": _artifact(label.span, findings), "region": _region(label)}
    said = label.message or default
    location: JsonObject = {"physicalLocation": place}
    if said:
        location["message"] = {"text": _text(said)}
    return location


def _artifact(span: Span, findings: Findings) -> JsonObject:
    path = quote(findings.path(span), errors="replace")
    return {"uri": f"file://{path}"} if path.startswith("/") else {"uri": path, "uriBaseId": "%SRCROOT%"}


def _region(label: Label) -> JsonObject:
    span = label.span
    if about_file(span):
        return {"startLine": 1}
    region = {"startLine": span.start.line, "startColumn": span.start.column, "endLine": span.end.line}
    # The length of a credential says something too. Without an end a region goes to the end of its line.
    if not label.concealed:
        region["endColumn"] = span.end.column
    return region


def _text(text: str) -> str:
    # `[text](target)` would be a link (SARIF 3.11.6).
    return visible(text).replace("](", "] (")
