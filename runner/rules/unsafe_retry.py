"""Retries of a POST or PATCH are asked for that never happen.

A request that changes something is repeated only where it is known that the server did not act: on 429, on 503, and
when no byte of it was sent. After a timeout or a 500 nobody knows, and a second POST could charge twice. So raising
`attempts`, or naming other statuses under `on`, has no effect there.

`idempotent: true` says that repeating is harmless, for example since the request carries an `Idempotency-Key`. A
connection with `idempotency` sends such a key by itself: then all of `retry` holds.

```bad
# workflows.d/pay.yaml
actions:
  - id: pay
    request: {method: POST, url: https://example.com/payments, json: {amount: 5}}
    retry: {attempts: 5, on: [429, 500, timeout]}
```
```good
# workflows.d/pay.yaml
actions:
  - id: pay
    request: {method: POST, url: https://example.com/payments, json: {amount: 5}}
    retry: {attempts: 5, on: [429, 503]}
  - id: note
    request:
      method: POST
      url: https://example.com/notes
      headers: {Idempotency-Key: "{{ run.id }}"}
      json: {text: paid}
    retry: {attempts: 5}
    idempotent: true
```
"""

from collections.abc import Iterator

from runner import idempotency
from runner.diagnostics import Diagnostic, Severity, warning
from runner.document import Document
from runner.model import Action, Retry
from runner.project import Project

SEVERITY = Severity.WARNING
SUMMARY = "retries of a POST or PATCH are asked for that never happen"

_HARMLESS = frozenset({429, 503, "connection"})


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the `retry` that stands in an action."""
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            if action.kind != "request" or action.retry is None or action.retry.attempts == 1:
                continue
            connection = project.connections.get(action.connection or "")
            if not idempotency.repeatable(action, connection):
                yield from _retry(workflow.document, action, action.retry)


def _retry(document: Document, action: Action, retry: Retry) -> Iterator[Diagnostic]:
    method = action.config.method
    names = {name.lower() for name in action.config.headers}
    remedy = f"set `idempotent: true` where repeating this {method} is harmless, or `idempotency` in its connection"
    if "idempotency-key" in names:
        remedy = f"it sends an Idempotency-Key: set `idempotent: true`, and this {method} is repeated"
    if retry.on is None:
        if retry.attempts > Retry().attempts:
            message = (
                f"a {method} is repeated only where the server did not act: these attempts are rarely made"
            )
            span = document.span((*action.pointer, "retry", "attempts"))
            yield warning("unsafe-retry", message, span, help=remedy)
        return
    listed = document.get((*action.pointer, "retry", "on"))
    for index, item in enumerate(listed):
        if item not in _HARMLESS:
            message = f"a {method} is never repeated on {item}: the server may have acted"
            span = document.span((*action.pointer, "retry", "on", index))
            yield warning("unsafe-retry", message, span, help=remedy)
