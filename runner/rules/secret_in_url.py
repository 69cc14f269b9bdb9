"""A secret stands in a URL.

URLs are written down everywhere: in the access logs of the server and of each proxy, in the history of whoever tries
one out, in error reports. Headers and bodies are not. runner.d masks a secret in what it writes itself and can do
nothing about the others.

Where an API takes its key in the query only, say so with the auth type `api_key` and `in: query`.

```bad
# workflows.d/report.yaml
secrets:
  key: vault://secret/support/reports#api_key
actions:
  - id: read
    request:
      url: https://example.com/reports
      query: {key: "{{ secrets.key }}"}
```
```good
# workflows.d/report.yaml
secrets:
  key: vault://secret/support/reports#api_key
actions:
  - id: read
    request:
      url: https://example.com/reports
      headers: {X-Api-Key: "{{ secrets.key }}"}
```
"""

from collections.abc import Iterator

from runner import flow
from runner.diagnostics import Diagnostic, Severity, warning
from runner.project import Project

SEVERITY = Severity.WARNING
SUMMARY = "a secret stands in a URL"

_REMEDY = "send it in a header; where the API takes it in the query only, use the auth type `api_key` with `in: query`"


def check(project: Project) -> Iterator[Diagnostic]:
    """Look at the channels of every flow."""
    for each in flow.compute(project):
        channel = each.channel.removeprefix("request.")
        part, _, name = channel.partition(".")
        if part not in ("path", "url", "query"):
            continue
        where = f"the query parameter '{name}'" if part == "query" else "the URL"
        message = f"a secret in {where}: servers and proxies write URLs into their logs"
        yield warning("secret-in-url", message, each.span, help=_REMEDY)
