"""Pages are read in a way that works and is hardly meant.

A POST whose next page is named in the URL or a header is sent once for every page, body and all: harmless for a search,
which says so with `idempotent: true`, and not for anything that writes. The parameter of the styles `page` and `offset` is
set by them: the same one under `query` is not what is sent; where counting starts is `start`. `items` that is not made of
the answer is the same for every page.

```bad
# workflows.d/report.yaml
actions:
  - id: read
    request:
      url: https://example.com/reports
      query: {page: 3}
      paginate: {style: page, items: "{{ response.body.reports }}"}
```
```good
# workflows.d/report.yaml
actions:
  - id: read
    request:
      url: https://example.com/reports
      paginate: {style: page, start: 3, items: "{{ response.body.reports }}"}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, warning
from runner.model import Action, Connection, Workflow
from runner.paginators import effective
from runner.project import Project

SEVERITY = Severity.WARNING
SUMMARY = "pages are read in a way that works and is hardly meant"

_RULE = "doubtful-pagination"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the pagination that holds for each request."""
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            if action.kind == "request":
                yield from _action(workflow, action, project.connections.get(action.connection or ""))


def _action(workflow: Workflow, action: Action, connection: Connection | None) -> Iterator[Diagnostic]:
    paging = effective(action, connection)
    if paging is None or paging.style is None:
        return
    where = workflow.document
    config = paging.config
    if action.config.method == "POST" and getattr(config, "place", "") != "body" and not action.idempotent:
        message = "this POST is sent once for every page, with the same body"
        remedy = "where it only reads, say so with `idempotent: true`"
        place = where.span((*action.pointer, "request", "paginate"), key=True)
        yield warning(_RULE, message, place, help=remedy)
    if paging.style in ("page", "offset"):
        for name in action.config.query:
            if name == config.param or (name == getattr(config, "limit_param", None) and config.limit):
                key = "start" if name == config.param else "limit"
                place = where.span((*action.pointer, "request", "query", name), key=True)
                message = f"`paginate` sets the parameter '{name}': this one is not what is sent"
                yield warning(_RULE, message, place, help=f"write it as `{key}` of `paginate`")
    items = paging.items
    if items is not None and not items.faults and all(each.root != "response" for each in items.references):
        message = "`items` is the same for every page: it is not made of `response`"
        yield warning(_RULE, message, items.span, help="write a template such as {{ response.body.items }}")
