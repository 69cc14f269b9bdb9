"""An auth type as the loader binds it: from the value of `auth`, through its schema, to its authenticator."""

import json
from collections.abc import Mapping
from typing import Any

from runner import bind, registry, schema
from runner.auth import Authenticator, Bound
from runner.bind import Binder
from runner.document import parse
from runner.sensitive import Secret
from tests.auth.means import Lent

Json = Mapping[str, Any]


def bound(kind: str, auth: Json) -> Bound:
    """Bind `auth` of a type; it must be valid."""
    value = {"type": kind, "base_url": "https://api.test", "auth": auth}
    document, wrong = parse(json.dumps(value), "connections.d/api.yaml")
    assert document is not None, wrong
    found = schema.check("connection", document.value, lambda pointer, key: document.span(pointer, key=key))
    assert not found, [diagnostic.message for _, diagnostic in found]
    binder = Binder(lambda pointer: (document, pointer))
    made = bind.auth(kind, document.value["auth"], binder)
    assert binder.diagnostics == []
    return made


def authenticator(kind: str, auth: Json, values: Mapping[str, str], means: Lent) -> Authenticator:
    """Make the authenticator; `values` are those of the `env://` references."""
    made = bound(kind, auth)
    fields: dict[str, Secret | str] = {
        name: item
        for name in made.config.__dataclass_fields__
        if isinstance(item := getattr(made.config, name), str)
    }
    fields |= {
        name: Secret(values[ref.text.removeprefix("env://")], ref.text) for name, ref in made.secrets.items()
    }
    result: Authenticator = registry.load("auth", kind).Authenticator(made.config, fields, means)
    return result


def shown(kind: str, auth: Json) -> Any:
    """Give what a plan shows."""
    made = bound(kind, auth)
    labels = {name: f"‹secret {ref.text}›" for name, ref in made.secrets.items()}
    return registry.load("auth", kind).shown(made.config, labels)
