"""JUnit XML for CI systems: a run is a test suite, an action a test case.

A failure that the workflow handles (`on_error: continue`) is a passed case with the failure in its `system-out`. What
ends a run outside of every action (secrets unavailable, a timeout, a signal) is a case of its own, named `run`.

Tests of connections are a suite with a case for each.

Diagnostics are a suite with a case for each: an error is a failed case, a warning a passed one that says it in its
`system-out`. Where nothing was found one passed case says so, because CI systems take an empty suite for a mistake.
"""

import re
from collections import Counter
from collections.abc import Sequence

from runner.diagnostics import Diagnostic, Severity
from runner.errors import Failure, JsonObject
from runner.reports import Findings, visible
from runner.result import ActionResult, RunResult, Status

# XML 1.0, production 2: everything else may not stand in a document, not even escaped.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}
_SPECIAL = re.compile('[&<>"\t\n\r]')


def run(result: RunResult) -> str:
    """Give a run as one test suite."""
    cases = [_case(result.workflow, action) for action in result.actions]
    unhandled = [action for action in result.actions if action.error and not action.handled]
    failures = len(unhandled)
    errors = 0
    skipped = sum(action.status is Status.SKIPPED for action in result.actions)
    if result.status is Status.SKIPPED:
        skipped += 1
        cases.append(_outside(result))
    elif result.status is not Status.SUCCEEDED and not failures:
        errors = 1
        cases.append(_outside(result))
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}"'
    time = f'time="{result.duration:.3f}"'
    # Most readers take a timestamp without fraction and zone; ours is in UTC.
    suite = (
        f"  <testsuite{_attribute('name', result.workflow)} {counts} "
        f'skipped="{skipped}" {time}{_attribute("timestamp", result.started_at[:19])}>'
    )
    properties = {"run": result.run_id, "status": result.status.value}
    if result.user:
        properties["user"] = result.user
    if result.environment:
        properties["environment"] = result.environment
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="runner.d" {counts} {time}>',
        suite,
        "    <properties>",
        *(f"      <property{_attribute('name', n)}{_attribute('value', v)}/>" for n, v in properties.items()),
        "    </properties>",
        *cases,
        "  </testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def diagnostics(findings: Findings) -> str:
    """Give what the checks found as one test suite."""
    seen: Counter[tuple[str, str]] = Counter()
    cases = []
    for item in findings.diagnostics:
        key = (item.primary.span.path, f"{item.rule}: {visible(item.message)}")
        seen[key] += 1
        cases.append(_finding(item, key[1] if seen[key] == 1 else f"{key[1]} ({seen[key]})", findings))
    if not cases:
        checked = f"{findings.files} file{'' if findings.files == 1 else 's'}"
        cases.append(f"    <testcase{_attribute('classname', 'project')}{_attribute('name', checked)}/>")
    counts = f'tests="{len(cases)}" failures="{findings.errors}" errors="0"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="runner.d" {counts}>',
        f'  <testsuite name="runner validate" {counts} skipped="0">',
        *cases,
        "  </testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def connection_tests(results: Sequence[JsonObject]) -> str:
    """Give the tests of connections as one test suite; a connection without a test endpoint is a skipped case."""
    cases = [_connection(item) for item in results]
    classes = Counter(str(item["classification"]) for item in results)
    skipped = classes["no test endpoint"]
    failures = len(results) - classes["ok"] - skipped
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="runner.d" {counts}>',
        f'  <testsuite name="runner connections test" {counts} skipped="{skipped}">',
        *cases,
        "  </testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _connection(item: JsonObject) -> str:
    classification = str(item["classification"])
    start = (
        f"    <testcase{_attribute('classname', 'connections')}{_attribute('name', str(item['connection']))}"
        f' time="{float(item.get("duration") or 0.0):.3f}"'
    )
    if classification == "ok":
        return f"{start}/>"
    message = visible(str(item.get("message") or classification))
    if classification == "no test endpoint":
        return f"{start}>\n      <skipped{_attribute('message', classification)}/>\n    </testcase>"
    lines = [message]
    if item.get("file"):
        lines.append(f"at {visible(str(item['file']))}:{item['line']}")
    if item.get("help"):
        lines.append(f"help: {visible(str(item['help']))}")
    attributes = _attribute("type", classification) + _attribute("message", message)
    return f"{start}>\n      <failure{attributes}>{_text(chr(10).join(lines))}</failure>\n    </testcase>"


def _finding(item: Diagnostic, name: str, findings: Findings) -> str:
    path = visible(findings.path(item.primary.span))
    # The name holds no line: CI systems compare by name what is new, and drop the second of two with one name.
    start = (
        f"    <testcase{_attribute('classname', path)}{_attribute('name', name)}"
        f'{_attribute("file", path)} line="{item.primary.span.start.line}"'
    )
    said = _told(item, findings)
    if item.severity is Severity.ERROR:
        attributes = _attribute("type", item.rule) + _attribute("message", visible(item.message))
        inner = f"      <failure{attributes}>{_text(said)}</failure>"
    else:
        inner = f"      <system-out>{_text(said)}</system-out>"
    return f"{start}>\n{inner}\n    </testcase>"


def _told(item: Diagnostic, findings: Findings) -> str:
    labels = [(f"{item.severity.value}[{item.rule}]: {item.message}", item.primary)]
    labels += [(label.message or "related", label) for label in item.related]
    lines = []
    for said, label in labels:
        start = label.span.start
        lines += [said, f"  at {findings.path(label.span)}:{start.line}:{start.column}"]
    if item.primary.message:
        lines.append(item.primary.message)
    if item.help:
        lines.append(f"help: {item.help}")
    return "\n".join(map(visible, lines))


def _case(workflow: str, action: ActionResult) -> str:
    items = action.record.get("items") or {}
    seconds = float(action.record.get("duration") or items.get("seconds") or 0.0)
    start = (
        f"    <testcase{_attribute('classname', f'{workflow}.{action.section}')}"
        f'{_attribute("name", action.name or action.id)} time="{seconds:.3f}"'
    )
    if action.error and action.handled:
        said = "\n".join(["on_error: continue", _described(action.error), *_failed_items(items)])
        inner = f"      <system-out>{_text(said)}</system-out>"
    elif action.error:
        inner = _problem("failure", action.error, _failed_items(items))
    elif action.status is Status.SKIPPED:
        inner = f"      <skipped{_attribute('message', action.reason or 'skipped')}/>"
    else:
        return f"{start}/>"
    return f"{start}>\n{inner}\n    </testcase>"


def _outside(result: RunResult) -> str:
    start = f"    <testcase{_attribute('classname', result.workflow)}{_attribute('name', 'run')}"
    if result.status is Status.SKIPPED:
        inner = f"      <skipped{_attribute('message', '; '.join(result.warnings) or 'skipped')}/>"
    elif result.error:
        inner = _problem("error", result.error)
    else:
        message = f"the run ended as {result.status.value}"
        inner = f"      <error{_attribute('type', result.status.value)}{_attribute('message', message)}/>"
    return f'{start} time="{result.duration:.3f}">\n{inner}\n    </testcase>'


def _failed_items(items: JsonObject) -> list[str]:
    """Give a line for each failed item of a `for_each` that is listed."""
    return [
        f"item {item['index']}: {item['error']['message']}"
        for item in items.get("listed", ())
        if item["status"] == "failed"
    ]


def _problem(element: str, failure: Failure, more: Sequence[str] = ()) -> str:
    attributes = _attribute("type", failure.kind.value) + _attribute("message", failure.message)
    said = "\n".join([_described(failure), *more])
    return f"      <{element}{attributes}>{_text(said)}</{element}>"


def _described(failure: Failure) -> str:
    lines = [failure.message]
    if failure.span:
        lines.append(f"at {failure.span}")
    if failure.help:
        lines.append(f"help: {failure.help}")
    return "\n".join(lines)


def _attribute(name: str, value: str) -> str:
    legal = _ILLEGAL.sub("", value)
    return f' {name}="{_SPECIAL.sub(lambda match: _ENTITIES[match[0]], legal)}"'


def _text(value: str) -> str:
    legal = _ILLEGAL.sub("", value)
    return legal.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
