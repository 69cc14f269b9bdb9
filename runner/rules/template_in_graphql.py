"""The document of a GraphQL request is put together from values.

A value in the text of `query` can close a string or a selection and ask for something else. GraphQL has variables for
values: they are sent beside the document, as JSON, and cannot change it.

```bad
# workflows.d/ticket.yaml
inputs: {ticket: {type: string}}
actions:
  - id: ticket
    request:
      url: https://example.com/graphql
      graphql: {query: 'query { ticket(id: "{{ inputs.ticket }}") { title } }'}
```
```good
# workflows.d/ticket.yaml
inputs: {ticket: {type: string}}
actions:
  - id: ticket
    request:
      url: https://example.com/graphql
      graphql:
        query: 'query ($id: ID!) { ticket(id: $id) { title } }'
        variables: {id: "{{ inputs.ticket }}"}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, warning
from runner.project import Project
from runner.template import Template

SEVERITY = Severity.WARNING
SUMMARY = "a GraphQL document is put together from values"


def check(project: Project) -> Iterator[Diagnostic]:
    """Look for templates in GraphQL documents."""
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            if action.kind != "request" or action.config.body_kind != "graphql":
                continue
            query = action.config.body["query"]
            if isinstance(query, Template) and query.references:
                first = query.references[0]
                yield warning(
                    "template-in-graphql",
                    "a value in the text of a GraphQL document can change what it asks for",
                    query.place(first.start, first.end),
                    help="put it into `variables`, and name it as $NAME in the document",
                )
