"""GitLab's code quality report: a list of findings, shown in the merge request.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
A finding keeps its fingerprint while lines move, so that GitLab knows which ones are new.
"""

import json

from runner.diagnostics import Diagnostic, Severity
from runner.errors import JsonObject
from runner.reports import Findings, visible

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor"}


def diagnostics(findings: Findings) -> str:
    """Give the list, empty where nothing was found: GitLab needs a file in any case."""
    entries = [
        _entry(item, fingerprint, findings)
        for item, fingerprint in zip(findings.diagnostics, findings.fingerprints, strict=True)
    ]
    return json.dumps(entries, indent=2).replace("\x7f", "\\u007f") + "\n"


def _entry(item: Diagnostic, fingerprint: str, findings: Findings) -> JsonObject:
    span = item.primary.span
    said = f"{item.message} (help: {item.help})" if item.help else item.message
    return {
        "description": visible(said),
        "check_name": item.rule,
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[item.severity],
        "location": {
            "path": findings.path(span),
            "lines": {"begin": span.start.line, "end": span.end.line},
        },
    }
