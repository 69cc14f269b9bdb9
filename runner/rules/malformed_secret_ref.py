"""A secret reference is not well formed, or stands where none may stand.

A reference is `vault://MOUNT/PATH#FIELD`, with a pinned version `vault://MOUNT/PATH?version=3#FIELD`, or `env://NAME`
for development. `MOUNT/PATH` is what follows `vault kv get`, without `data/`. The field is required. `{{ user }}`,
`{{ environment }}` and `{{ vars.NAME }}` may stand in the path, nothing else: reviewers must see which secrets a file
uses.

References stand in `auth`, `headers`, `query` and `tls` of a connection and in `secrets` of a workflow, always as the
whole value. Anywhere else the text would be sent as it is. A prefix such as `Token token=` belongs to the auth type.

```bad
# connections.d/tickets.yaml
type: bearer
base_url: https://tickets.example.com
shared: true
auth:
  token: vault://secret/data/support/tickets#api_token
test: {path: /me}
```
```good
# connections.d/tickets.yaml
type: bearer
base_url: https://tickets.example.com
shared: true
auth:
  token: vault://secret/support/tickets#api_token
test: {path: /me}
```
"""

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, error
from runner.document import Document, Pointer
from runner.project import SETTINGS, Project
from runner.rules import strings
from runner.secret_ref import looks_like_reference

SEVERITY = Severity.ERROR
SUMMARY = "a secret reference is not well formed, or stands where none may stand"

_REFERENCE = re.compile(r"\b(?:vault://[^\s#]+/[^\s#]+#\w|env://[A-Za-z_])[^\s\"']*")
_SINGLE = frozenset(
    {("tls", "ca"), ("tls", "cert"), ("tls", "key"), ("proxy", "username"), ("proxy", "password")}
)
_PROSE = frozenset({"description", "name", "examples", "title"})


def check(project: Project) -> Iterator[Diagnostic]:
    """Find references in places that take none; the loader has reported those that are not well formed."""
    for document in project.documents.values():
        if "://" not in document.text and "\\" not in document.text:
            continue  # most files of a large project; a backslash may write the colon or a slash
        for pointer, value in strings(document):
            match = _REFERENCE.search(value) if "://" in value else None
            if match is None or pointer[-1] in _PROSE:
                continue
            where = document.part(pointer, match.start(), match.end())
            if _takes_reference(document, pointer):
                if not looks_like_reference(value):
                    message = "a secret reference is the whole value, it cannot stand inside other text"
                    remedy = 'write the reference alone; a prefix belongs to `auth`, for example `prefix: "Token token="`'
                    yield error("malformed-secret-ref", message, where, help=remedy)
            else:
                message = "no secret reference may stand here: the text would be used as it is"
                yield error("malformed-secret-ref", message, where, help=_remedy(document))


def _remedy(document: Document) -> str:
    if document.path.startswith("workflows.d/"):
        return "use a connection, or declare it under `secrets` of the workflow and write {{ secrets.NAME }}"
    return "references stand in `auth`, `headers`, `query`, `tls` and `proxy` of a connection"


def _takes_reference(document: Document, pointer: Pointer) -> bool:
    if document.path.startswith("workflows.d/"):
        return len(pointer) == 2 and pointer[0] == "secrets"
    if document.path == SETTINGS:
        if pointer[0] == "vault" or pointer[2:3] == ("vault",):
            return True  # the schema of `vault` says what each key takes
        if pointer[0] != "environments" or pointer[2:3] != ("connections",):
            return False
        pointer = pointer[4:]
    if pointer[:1] == ("auth",) or pointer in _SINGLE:
        return True
    return len(pointer) == 2 and pointer[0] in ("headers", "query")
