"""From checked values to the model: the one place where templates and secret references are made."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from runner import registry, secret_ref
from runner.auth import Bound
from runner.diagnostics import Diagnostic, error
from runner.document import Document, Pointer
from runner.duration import seconds
from runner.effective import Effective
from runner.model import Backoff, Expect, Limits, RateLimit, Reset, Retry
from runner.secret_ref import MalformedReferenceError, SecretRef
from runner.source import Span
from runner.template import Mode, Template, Tree

ACTION_ROOTS = frozenset({"inputs", "vars", "environment", "actions", "run"})
SEND_ROOTS = ACTION_ROOTS | {"secrets"}
RESPONSE_ROOTS = ACTION_ROOTS | {"response"}
CONNECTION_ROOTS = frozenset({"vars", "environment", "run"})
URL_ROOTS = frozenset({"vars", "environment"})
ITEM_ROOTS = frozenset({"item", "index"})
VARS_ROOTS = frozenset({"inputs", "vars", "environment", "run"})

_SIZES = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}

Origin = Callable[[Pointer], tuple[Document, Pointer]]
"""Finds the document and the pointer in it where the value of a pointer is written."""


class Binder:
    """Makes templates and references from values, remembers every template, and reports what is no reference.

    `made` is the connection that is bound: with a preset it knows better than the auth type which fields are secret,
    and how they are called where they are written.
    """

    def __init__(self, origin: Origin, made: Effective | None = None) -> None:
        self._origin = origin
        self._made = made
        self.templates: list[Template] = []
        self.diagnostics: list[Diagnostic] = []
        self.owner: tuple[str, int] | None = None
        self.extra_roots: frozenset[str] = frozenset()

    def span(self, pointer: Pointer, *, key: bool = False) -> Span:
        """Find the place of a value, or of its key."""
        document, place = self._origin(pointer)
        return document.span(place, key=key)

    def template(
        self, value: str, pointer: Pointer, roots: frozenset[str], *, mode: Mode = Mode.VALUE
    ) -> Template:
        """Make a template; `roots` are the names that its field allows."""
        document, place = self._origin(pointer)
        if self.extra_roots:
            roots |= self.extra_roots
        made = Template(value, mode, document, place, roots, _field(pointer), self.owner)
        if not made.constant:
            self.templates.append(made)
        return made

    def tree(self, value: Any, pointer: Pointer, roots: frozenset[str]) -> Tree:
        """Make templates of all strings of a value."""
        if isinstance(value, str):
            return self.template(value, pointer, roots)
        if isinstance(value, dict):
            return {key: self.tree(item, (*pointer, key), roots) for key, item in value.items()}
        if isinstance(value, list):
            return [self.tree(item, (*pointer, index), roots) for index, item in enumerate(value)]
        return value  # type: ignore[no-any-return]

    def secret(self, value: str, pointer: Pointer) -> SecretRef | None:
        """Parse a field that takes a secret reference only; None, and a diagnostic, where it is none."""
        document, place = self._origin(pointer)
        try:
            return secret_ref.parse(value, document.span(place))
        except MalformedReferenceError as problem:
            if not secret_ref.looks_like_reference(value):
                self.diagnostics.append(
                    error(
                        "hardcoded-secret",
                        f"'{_field(self._made.named(pointer) if self._made else pointer)}' takes a secret reference; a value typed in here is in git for good",
                        document.span(place),
                        help="store it in Vault and write vault://MOUNT/PATH#FIELD here; then replace the typed-in value at its API",
                        concealed=True,
                    )
                )
                return None
            length = len(value) - problem.offset if problem.length is None else problem.length
            where = document.part(place, problem.offset, problem.offset + length)
            self.diagnostics.append(error("malformed-secret-ref", problem.message, where, help=problem.help))
            return None

    def text_or_secret(
        self, value: str, pointer: Pointer, roots: frozenset[str]
    ) -> Template | SecretRef | None:
        """Make a template, or a reference where the text is written as one."""
        if secret_ref.looks_like_reference(value):
            return self.secret(value, pointer)
        return self.template(value, pointer, roots)

    def fields(
        self,
        value: Mapping[str, Any],
        pointer: Pointer,
        secret_fields: frozenset[str],
        url_fields: frozenset[str] = frozenset(),
    ) -> tuple[dict[str, Any], dict[str, SecretRef]]:
        """Bind the flat fields of an `auth`: secret references, URLs as templates, the rest as it is.

        Any text may be a reference instead. Gives the fields that could be bound, and the references among them.
        """
        bound: dict[str, Any] = {}
        secrets: dict[str, SecretRef] = {}
        for name, item in value.items():
            place = (*pointer, name)
            known = self._made.is_secret(place) if self._made else None
            secret = name in secret_fields if known is None else known
            if secret or (isinstance(item, str) and secret_ref.looks_like_reference(item)):
                ref = self.secret(item, place)
                if ref is not None:
                    bound[name] = secrets[name] = ref
            elif name in url_fields:
                bound[name] = self.template(item, place, URL_ROOTS, mode=Mode.TEXT)
            else:
                bound[name] = item
        return bound, secrets

    def expect(self, value: Mapping[str, Any] | None, pointer: Pointer, roots: frozenset[str]) -> Expect:
        """Bind `expect`."""
        if not value:
            return Expect()
        status = value.get("status")
        listed = status if isinstance(status, list) else [status] if status is not None else None
        headers: dict[str, Template | bool] = {}
        for name, wanted in value.get("headers", {}).items():
            place = (*pointer, "headers", name)
            headers[name] = (
                wanted if isinstance(wanted, bool) else self.template(wanted, place, roots, mode=Mode.TEXT)
            )
        schema = value.get("schema")
        if schema is not None and not self._own_schema(schema, (*pointer, "schema")):
            schema = None
        that = tuple(
            self.template(item, (*pointer, "that", index), roots | {"response"})
            for index, item in enumerate(value.get("that", []))
        )
        return Expect(
            status=tuple(str(code) for code in listed) if listed is not None else None,
            headers=headers,
            schema=schema,
            that=that,
        )

    def _own_schema(self, schema: Any, pointer: Pointer) -> bool:
        """Tell whether a schema that a user wrote is one: rules look into those only."""
        from runner.schema import schema_problem

        problem = schema_problem(schema)
        if problem:
            place, sentence = problem
            message = f"not a JSON Schema: {_field(place) or 'it'} must be {sentence}"
            self.diagnostics.append(error("invalid-value", message, self.span((*pointer, *place))))
        return not problem


def retry(value: Mapping[str, Any] | None) -> Retry | None:
    """Bind `retry`."""
    if value is None:
        return None
    backoff = value.get("backoff", {})
    default = Backoff()
    return Retry(
        attempts=value.get("attempts", 3),
        on=frozenset(value["on"]) if "on" in value else None,
        backoff=Backoff(
            first=seconds(backoff["first"]) if "first" in backoff else default.first,
            factor=backoff.get("factor", default.factor),
            limit=seconds(backoff["limit"]) if "limit" in backoff else default.limit,
        ),
    )


def rate_limit(value: Mapping[str, Any] | None) -> RateLimit | None:
    """Bind `rate_limit`."""
    if value is None:
        return None
    reset = value.get("reset")
    return RateLimit(
        requests=value.get("requests"),
        per=seconds(value["per"]) if "per" in value else RateLimit().per,
        burst=value.get("burst", 1),
        statuses=frozenset(value.get("statuses", ())),
        remaining=value.get("remaining"),
        reset=Reset(header=reset["header"], unit=reset["unit"]) if reset else None,
    )


def limits(*levels: Mapping[str, Any]) -> Limits:
    """Bind `limits`; later levels win."""
    merged: dict[str, Any] = {}
    for level in levels:
        merged.update(level)
    default = Limits()
    return Limits(
        body=_size(merged["body"]) if "body" in merged else default.body,
        connect=seconds(merged["connect"]) if "connect" in merged else default.connect,
        template_output=_size(merged["template_output"])
        if "template_output" in merged
        else default.template_output,
        items=merged.get("items", default.items),
        nested_calls=merged.get("nested_calls", default.nested_calls),
        retry_after=seconds(merged["retry_after"]) if "retry_after" in merged else default.retry_after,
        retrying=seconds(merged["retrying"]) if "retrying" in merged else default.retrying,
        pages=merged.get("pages", default.pages),
    )


def auth(type_: str, value: Mapping[str, Any], binder: Binder) -> Bound:
    """Bind `auth` as its type says; `config` is None where a reference is malformed."""
    module = registry.load("auth", type_)
    if hasattr(module, "bind"):
        bound: Bound = module.bind(value, binder)
        return bound
    url_fields: frozenset[str] = getattr(module, "URL_FIELDS", frozenset())
    fields, secrets = binder.fields(value, ("auth",), module.SECRET_FIELDS, url_fields)
    if binder.diagnostics:
        return Bound(config=None, secrets=secrets)
    config = module.Config(**fields)
    return Bound(
        config=config,
        secrets=secrets,
        urls={name: fields[name] for name in sorted(url_fields) if name in fields},
        sent_to=module.sent_to(config) if hasattr(module, "sent_to") else {},
        written=getattr(module, "WRITTEN_FIELDS", frozenset()) & secrets.keys(),
    )


def report_typed_in(type_: Any, value: Any, binder: Binder) -> None:
    """Report typed-in secrets of an `auth` that has other errors: they are the ones that cannot wait."""
    known = type_ in registry.names("auth")
    names = registry.load("auth", type_).SECRET_FIELDS if known else frozenset({"token", "password", "key"})
    listed: list[tuple[Pointer, Any]] = [(("auth",), value)]
    if isinstance(value, dict) and isinstance(value.get("keys"), list):
        listed += [(("auth", "keys", index), item) for index, item in enumerate(value["keys"])]
    for pointer, item in listed:
        if isinstance(item, dict):
            texts = {name: text for name, text in item.items() if isinstance(text, str)}
            binder.fields(texts, pointer, names)


@lru_cache(maxsize=4096)  # most fields are those of the files before
def _field(pointer: Pointer) -> str:
    from runner.schema import written

    return written(pointer)


def _size(text: str) -> int:
    return int(text[:-3]) * _SIZES[text[-3:]]
