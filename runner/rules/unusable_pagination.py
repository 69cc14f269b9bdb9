"""Pages of an answer cannot be read as `paginate` says.

`paginate: true`, or keys without `style`, take how pages follow each other from the connection: it must say so. Only GET
and POST read lists. `next` and `more` are made of the answer, or they would say the same of every page. The styles `page`
and `offset` see the end by an empty list, so they need `items`, or `more`; `offset` without `items` also needs `limit`. A
cursor in the body needs a JSON body to stand in.

```bad
# workflows.d/report.yaml
actions:
  - id: read
    request:
      url: https://example.com/reports
      paginate: {style: cursor, param: after, next: "{{ run.id }}"}
```
```good
# workflows.d/report.yaml
actions:
  - id: read
    request:
      url: https://example.com/reports
      paginate: {style: cursor, param: after, next: "{{ response.body.next }}"}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Label, Severity
from runner.model import Action, Connection, Paginate, Workflow
from runner.paginators import effective
from runner.project import Project
from runner.source import Span
from runner.template import Template

SEVERITY = Severity.ERROR
SUMMARY = "pages of an answer cannot be read as `paginate` says"

_JSON_BODIES = ("json", "graphql")


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the pagination that holds for each request."""
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            if action.kind == "request":
                known = action.connection is None or action.connection in project.connections
                if known:
                    yield from _action(workflow, action, project.connections.get(action.connection or ""))


def _action(workflow: Workflow, action: Action, connection: Connection | None) -> Iterator[Diagnostic]:
    own = action.config.paginate
    inherits = own is True or (isinstance(own, Paginate) and own.style is None)
    if inherits and (connection is None or connection.paginate is None):
        where = f"the connection '{connection.name}'" if connection else "a request without a connection"
        remedy = "add `style`, or `paginate` to the connection"
        place = _place(workflow, action)
        yield _error(f"how pages follow each other is not said: {where} has no `paginate`", place, remedy)
        return
    paging = effective(action, connection)
    if paging is None:
        return
    for message, remedy in _problems(action, paging):
        related: tuple[Label, ...] = ()
        if connection is not None and not (isinstance(own, Paginate) and own.style is not None):
            there = connection.locate(("paginate",))
            related = (Label(there, f"the connection '{connection.name}' says how pages follow each other"),)
        yield _error(message, _place(workflow, action), remedy, *related)
    for key, template in (("next", getattr(paging.config, "next", None)), ("more", paging.more)):
        if isinstance(template, Template) and not _of_the_answer(template):
            yield _error(
                f"`{key}` is the same for every page: it is not made of `response`",
                template.span,
                "write a template such as {{ response.body.next }}",
            )


def _place(workflow: Workflow, action: Action) -> Span:
    """Find the `paginate` of a request, or the request that has none. Asked late: finding a place takes time."""
    key = ("request",) if action.config.paginate is None else ("request", "paginate")
    return workflow.document.span((*action.pointer, *key), key=True)


def _problems(action: Action, paging: Paginate) -> Iterator[tuple[str, str]]:
    method = action.config.method
    if method not in ("GET", "POST"):
        yield f"a {method} has no pages to read", "remove `paginate`, or set it to false"
    counts = paging.style in ("page", "offset")
    if counts and paging.items is None and paging.more is None:
        yield (
            f"the style `{paging.style}` cannot see where the list ends",
            "add `items`, the list of a page: an empty one is the end; or `more`, false on the last page",
        )
    elif paging.style == "offset" and paging.items is None and paging.config.limit is None:
        yield "the style `offset` cannot tell how many items a page has", "add `items` or `limit`"
    if getattr(paging.config, "place", "") == "body" and action.config.body_kind not in _JSON_BODIES:
        yield "the cursor has no JSON body to stand in", "give the request a `json` body, which may be {}"


def _of_the_answer(template: Template) -> bool:
    return bool(template.faults) or any(reference.root == "response" for reference in template.references)


def _error(message: str, place: Span, remedy: str, *related: Label) -> Diagnostic:
    return Diagnostic(
        rule="unusable-pagination",
        severity=SEVERITY,
        message=message,
        primary=Label(place),
        related=related,
        help=remedy,
    )
