"""A comment `# runner: ignore[rule]` silences nothing.

What it was written for is mended, its line has moved, or the rule is spelt otherwise. It would silence the next mistake
of that kind without anybody having looked at it.

A comment silences one rule for its own line, or, alone on a line, for the next one. What cannot be silenced: mistakes of
reading (syntax, unknown keys, typed-in secrets), and the `policy-*` rules, which are for other people to relax.

```bad
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com # runner: ignore[plain-http] inside the cluster there is no TLS
```
```good
# connections.d/tickets.yaml
type: none
base_url: http://tickets.internal # runner: ignore[plain-http] inside the cluster there is no TLS
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity
from runner.project import Project

SEVERITY = Severity.WARNING
SUMMARY = "a comment `# runner: ignore[rule]` silences nothing"


def check(project: Project) -> Iterator[Diagnostic]:  # noqa: ARG001 - the same for every rule
    """Find nothing: `runner.ignores` knows which comments were of use, after all rules have spoken."""
    yield from ()
