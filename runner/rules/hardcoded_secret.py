"""A credential is typed into a file.

Who can read the repository can use it, and it stays in the history of git after it is removed. So fields that are
secret take a secret reference and nothing else, and these are found as well: text typed into a header or a query
parameter whose name is that of a credential (`Authorization`, `Cookie`, `X-Api-Key`, `access_token`), or into the body
of a login, a password in a URL, and text that has the shape of a known token, in any file, comments included.

What to do: replace the credential where it came from, since it has been seen; store the new one in Vault; write the
reference here. The value itself is never printed.

```bad
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
headers:
  X-Api-Key: 5f0c71b2a9
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
shared: true
headers:
  X-Api-Key: vault://secret/support/tickets#api_key
test: {path: /me}
```
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from runner.diagnostics import Diagnostic, Severity, error
from runner.document import Document
from runner.project import Project
from runner.rules import strings
from runner.secret_ref import looks_like_reference
from runner.source import Position, Span

SEVERITY = Severity.ERROR
SUMMARY = "a credential is typed into a file"

_HELP = "replace it where it came from, store the new one in Vault and write vault://MOUNT/PATH#FIELD"
_LOGIN_HELP = "replace it where it came from, store the new one in Vault, write its reference at auth.password, and {{ auth.password }} here"
_CARRIERS = frozenset({"headers", "query", "form"})
_CALLED = {"headers": "header", "query": "query parameter", "form": "form field", "json": "field"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ALONE = frozenset(
    {"authorization", "cookie", "token", "secret", "password", "passwd", "passphrase", "pwd", "credential"}
    | {"credentials", "apikey", "apitoken", "accesstoken", "authtoken", "secretkey", "pat", "jwt", "bearer"}
)
_BEFORE_KEY = frozenset(
    {"api", "access", "auth", "private", "secret", "subscription", "account", "application", "app"}
)
_NOT_TYPED = ("{{", "{%", "vault://", "env://")
_NO_SECRET = re.compile(r"(?i).*(page|next|cursor|sync|continuation|continue)[-_ ]?token\Z|.*csrf.*")

_SHAPES = (
    ("a GitHub token", r"\bgh[oprsu]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{22,}"),
    ("a GitLab token", r"\bgl(?:pat|rt|dt|ptt|cbt|ft|oas|soat)-[A-Za-z0-9_-]{20,}"),
    ("a Slack token", r"\bxox[abeprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{10,}"),
    ("a Slack webhook", r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}"),
    ("a Stripe key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a Google API key", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("a Vault token", r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}"),
    ("an npm token", r"\bnpm_[A-Za-z0-9]{36}"),
    ("a PyPI token", r"\bpypi-[A-Za-z0-9_-]{50,}"),
    ("a SendGrid key", r"\bSG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    (
        "a private key",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:(?s:.*?)-----END [A-Z0-9 ]+-----)?",
    ),
    ("a JSON Web Token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
)
_MARKS = (
    *(
        "gho_",
        "ghp_",
        "ghr_",
        "ghs_",
        "ghu_",
        "github_pat_",
        "glpat-",
        "glrt-",
        "gldt-",
        "glptt-",
        "glcbt-",
        "glft-",
    ),
    *(
        "gloas-",
        "glsoat-",
        "xox",
        "xapp-",
        "hooks.slack.com",
        "k_live_",
        "k_test_",
        "AKIA",
        "ASIA",
        "AIza",
        "hvs.",
    ),
    *("hvb.", "hvr.", "npm_", "pypi-", "SG.", "PRIVATE KEY", "eyJ"),
)
"""One of these stands in everything that has one of the shapes."""
_USERINFO = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@:{}\"']*:(?P<password>[^\s/?#@{}\"']+)@")


def check(project: Project) -> Iterator[Diagnostic]:
    """Look at the values by name, and at the text of every file by shape; each place is reported once."""
    taken = [item.primary.span for item in project.diagnostics if item.rule == "hardcoded-secret"]
    for document in project.documents.values():
        for found in _named(document):
            if not _overlaps(found.primary.span, taken):
                taken.append(found.primary.span)
                yield found
    for path, text in project.texts.items():
        for message, span in _shaped(path, text):
            if not _overlaps(span, taken):
                taken.append(span)
                yield error("hardcoded-secret", message, span, help=_HELP, concealed=True)


@lru_cache(maxsize=1024)
def is_credential(name: str) -> bool:
    """Tell whether a name of a header or parameter is that of a credential, by its words."""
    if _NO_SECRET.match(name):
        return False
    words = [word.lower() for word in _WORD.findall(name)]
    if any(word in _ALONE for word in words[-1:]) or "".join(words) in _ALONE:
        return True
    return words[-1:] == ["key"] and (len(words) == 1 or words[-2] in _BEFORE_KEY)


def _named(document: Document) -> Iterator[Diagnostic]:
    for pointer, value in strings(document):
        carriers = _CARRIERS | {"json"} if "auth" in pointer else _CARRIERS
        place = next((index for index, part in enumerate(pointer) if part in carriers), None)
        if place is None or len(pointer) < place + 2 or "expect" in pointer[:place]:
            continue
        name = str(pointer[place + 1])
        if pointer[place] == "json":
            name = str(next(part for part in reversed(pointer) if isinstance(part, str)))
        if is_credential(name) and _typed(value):
            what = _CALLED[str(pointer[place])]
            message = f"the {what} '{name}' holds a typed-in credential"
            remedy = _LOGIN_HELP if "auth" in pointer[:place] else _HELP
            yield error("hardcoded-secret", message, document.span(pointer), help=remedy, concealed=True)


def _typed(value: str) -> bool:
    return bool(value.strip()) and not (
        looks_like_reference(value) or any(mark in value for mark in _NOT_TYPED)
    )


@cache  # takes a millisecond to compile
def _known() -> re.Pattern[str]:
    return re.compile(
        "|".join(f"(?P<shape{number}>{pattern})" for number, (_, pattern) in enumerate(_SHAPES))
    )


def _shaped(path: str, text: str) -> Iterator[tuple[str, Span]]:
    # Every place of a long text would be tried for every shape; most files hold none of their marks.
    for match in _known().finditer(text) if any(mark in text for mark in _MARKS) else ():
        number = int(str(match.lastgroup).removeprefix("shape"))
        if len(set(match[0])) > 8:  # no row of x as in documentation
            yield f"this looks like {_SHAPES[number][0]}", _span(path, text, match.start(), match.end())
    for match in _USERINFO.finditer(text) if "@" in text and "://" in text else ():
        yield "the URL holds a password", _span(path, text, match.start("password"), match.end("password"))


def _span(path: str, text: str, start: int, end: int) -> Span:
    return Span(path, _position(text, start), _position(text, end))


def _position(text: str, at: int) -> Position:
    before = text[:at]
    line_start = max(before.rfind("\n"), before.rfind("\r")) + 1
    return Position(before.count("\n") + before.count("\r") - before.count("\r\n") + 1, at - line_start + 1)


def _overlaps(span: Span, others: list[Span]) -> bool:
    return any(
        span.path == other.path and span.start < other.end and other.start < span.end for other in others
    )
