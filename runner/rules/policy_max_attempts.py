"""More attempts are asked for than the policy permits.

`policy.max_attempts` in runner.yaml bounds the attempts of one request. At run time the smaller number holds, so a larger
one in a file promises what does not happen. No comment silences this: the policy is for whoever owns runner.yaml to
relax.

```bad
# runner.yaml
policy: {max_attempts: 3}
# workflows.d/report.yaml
actions:
  - id: read
    request: {url: https://example.com/reports}
    retry: {attempts: 10}
```
```good
# runner.yaml
policy: {max_attempts: 3}
# workflows.d/report.yaml
actions:
  - id: read
    request: {url: https://example.com/reports}
    retry: {attempts: 2}
```
"""

from collections.abc import Callable, Iterator

from runner.diagnostics import Diagnostic, Severity, error
from runner.document import Pointer
from runner.model import Retry
from runner.project import Project
from runner.source import Span

SEVERITY = Severity.ERROR
SUMMARY = "more attempts are asked for than the policy permits"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check every `retry` that is written: in actions, workflows and connections."""
    most = project.policy.max_attempts
    if most is None:
        return
    for connection in project.connections.values():
        yield from _retry(most, connection.retry, connection.locate, ())
    for workflow in project.workflows.values():
        yield from _retry(most, workflow.default_retry, workflow.document.span, ("defaults",))
        for action in workflow.every_action:
            yield from _retry(most, action.retry, workflow.document.span, action.pointer)


def _retry(
    most: int, retry: Retry | None, locate: Callable[[Pointer], Span], above: Pointer
) -> Iterator[Diagnostic]:
    if retry is None or retry.attempts <= most:
        return
    place = locate((*above, "retry", "attempts"))
    if place == locate((*above, "retry", "?")):
        return  # `attempts` is not written, and the default is nobody's promise
    message = f"{retry.attempts} attempts are more than the policy permits"
    yield error("policy-max-attempts", message, place, help=f"`policy.max_attempts` in runner.yaml is {most}")
