"""Who is meant by `--as`: `users.yaml` maps identities to the user names that stand in Vault paths.

A run is started by somebody whom a chat, a commit or a CI system names in its own way. Where the file is there, nobody
else than the people in it exists: what it does not map is an error, never a guess and never somebody else.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from runner.diagnostics import Diagnostic, Label, Severity, closest
from runner.document import Document
from runner.errors import UsageError
from runner.language import BASE, DESCRIPTION, Json, closed
from runner.secret_ref import USER_NAME

FILE = "users.yaml"
KINDS = {
    "email": ("E-mail addresses, in any case.", "ann@example.com"),
    "slack": ("Slack member ids.", "U024BE7LH"),
    "git": ("Authors as git writes them.", "Ann Lee <ann@example.com>"),
    "oidc": (
        "Subjects of OIDC tokens, as the CI system or identity provider sets them.",
        "repo:acme/ops:ref:refs/heads/main",
    ),
}
"""Kinds of identities, what each holds, and an example."""

Users = Mapping[str, Mapping[str, tuple[str, ...]]]
"""The identities of each user, by kind."""

_NAME = USER_NAME.pattern.removesuffix(r"\Z")


def schema() -> Json:
    """Compose the schema of `users.yaml`."""
    from runner.language import file_schema

    kinds = {
        kind: {
            "type": ["string", "array"],
            "minLength": 1,
            "items": {"type": "string", "minLength": 1, "x-message": "text that is not empty"},
            "description": what,
            "examples": [[example]],
        }
        for kind, (what, example) in KINDS.items()
    }
    person = closed(
        {**kinds, "description": DESCRIPTION}, description="The identities of one user.", examples=[{}]
    )
    people = {
        "type": "object",
        "description": "Users by the name that stands for {{ user }} in Vault paths, each with their identities.",
        "examples": [{"ann": {"email": "ann@example.com", "slack": "U024BE7LH"}}],
        "propertyNames": {
            "pattern": f"^{_NAME}$",
            "x-message": "letters, digits and . _ @ -, a letter or digit first",
        },
        "additionalProperties": person,
    }
    made = file_schema(
        "users", "Who is who: identities of people, and their names in Vault paths.", {"users": people}
    )
    assert made["$id"].startswith(BASE)
    return {**made, "required": ["users"]}


def bind(value: Mapping[str, Any]) -> Users:
    """Give the users of a file that has passed its schema."""
    return {
        name: {
            kind: (item[kind],) if isinstance(item[kind], str) else tuple(item[kind])
            for kind in KINDS
            if kind in item
        }
        for name, item in value["users"].items()
    }


def doubles(document: Document, users: Users) -> Iterator[Diagnostic]:
    """Report an identity that two users have: nobody could say whom it means."""
    first: dict[tuple[str, str], tuple[str, int]] = {}
    for name, identities in users.items():
        for kind, values in identities.items():
            for index, value in enumerate(values):
                key = (kind, _folded(kind, value))
                known = first.setdefault(key, (name, index))
                if known[0] != name:
                    yield Diagnostic(
                        rule="duplicate-name",
                        severity=Severity.ERROR,
                        message=f"the users '{known[0]}' and '{name}' have the same identity",
                        primary=Label(document.span(("users", name, kind, index))),
                        related=(Label(document.span(("users", known[0], kind, known[1])), "first here"),),
                        help="an identity belongs to one person: take it away from the other",
                    )


def resolve(users: Users | None, given: str | None) -> str | None:
    """Give the user name that an identity stands for; raises UsageError where there is none.

    A user's own name goes first. `email:`, `slack:`, `git:` and `oidc:` before an identity say which kind it is. Without
    a users.yaml (`users` None) every user name stands for itself.
    """
    if given is None:
        return None
    kind, colon, rest = given.partition(":")
    named = bool(colon) and kind in KINDS
    if users is None:
        if named or not USER_NAME.match(given):
            raise _not_found(given, None)
        return given
    if given in users:
        return given
    wanted = [(kind, rest)] if named else [(each, given) for each in KINDS]
    found = sorted(
        {
            name
            for name, identities in users.items()
            for each, value in wanted
            if any(_folded(each, value) == _folded(each, known) for known in identities.get(each, ()))
        }
    )
    if len(found) > 1:
        raise UsageError(
            f"'{given}' may be any of these users: {', '.join(found)}",
            help=f"say of which kind it is, for example email:{given}",
        )
    if not found:
        raise _not_found(given, users)
    return found[0]


def _folded(kind: str, value: str) -> str:
    return value.casefold() if kind == "email" else value


def _not_found(given: str, users: Users | None) -> UsageError:
    kind, identity = _kind(given)
    line = f"{kind}: {identity}" if re.fullmatch(r"[\w.@+-]+", identity) else f'{kind}: "{identity}"'
    if users is None:
        if kind == "name":
            return UsageError(
                f"'{given}' is not a user name",
                help=f"user names match {_NAME}; {FILE} maps other identities to them",
            )
        return UsageError(
            f"user not found: '{given}', and there is no {FILE}",
            help=f"make {FILE} in the project, with the name that stands in Vault paths: `users: {{NAME: {{{line}}}}}`",
        )
    near = closest(given, users)
    asked = f"did you mean '{near}'? Else " if near else ""
    if kind == "name":
        return UsageError(
            f"user not found: '{given}' is not in {FILE}",
            help=f"{asked}add the line `{identity}: {{}}` below `users` in {FILE}, with identities in it if you like",
        )
    return UsageError(
        f"user not found: '{given}' is not in {FILE}",
        help=f"{asked}add the line `{line}` below the user's name in {FILE}",
    )


def _kind(given: str) -> tuple[str, str]:
    """Guess of which kind an identity is, for the line that is to be added."""
    kind, colon, rest = given.partition(":")
    if colon and kind in KINDS:
        return kind, rest
    if "<" in given:
        return "git", given
    if "@" in given:
        return "email", given
    if re.fullmatch(r"[UW][A-Z0-9]{6,}", given):
        return "slack", given
    return ("name", given) if USER_NAME.match(given) or ":" not in given else ("oidc", given)
