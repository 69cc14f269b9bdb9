"""API keys in headers, query parameters or cookies, one or several."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from runner.auth import Bound, Fixed, Means, Outgoing, Shown, bare_scheme, revealed
from runner.bind import Binder
from runner.document import Pointer
from runner.frozen import dataclass
from runner.language import closed, secret, text
from runner.secret_ref import SecretRef
from runner.sensitive import Secret

SUMMARY = "one or more API keys in header, query or cookie"
_KEY: dict[str, Any] = {
    "key": secret("The key."),
    "name": text("Name of the header, query parameter or cookie.", minLength=1, examples=["X-Api-Key"]),
    "in": text("Where the key is sent.", enum=["header", "query", "cookie"], examples=["header"]),
    "prefix": text(
        "Text before the key. Default none. In a header one word is followed by a space.",
        examples=["Token token="],
    ),
}
SCHEMA = {
    **closed(
        {
            **_KEY,
            "keys": {
                "type": "array",
                "description": "Several keys, each with key, name, in and prefix.",
                "examples": [[{"key": "vault://secret/app#key", "name": "X-Api-Key", "in": "header"}]],
                "minItems": 1,
                "items": closed(_KEY, required=("key", "name", "in")),
            },
        },
        description="One API key, or several under `keys`.",
        examples=[{"key": "vault://secret/app#key", "name": "X-Api-Key", "in": "header"}],
    ),
    "if": {"required": ["keys"]},
    "then": {"properties": dict.fromkeys(_KEY, False)},
    "else": {"required": ["key", "name", "in"]},
}
SECRET_FIELDS = frozenset({"key"})
EXAMPLE = """\
type: api_key
description: Monitoring
base_url: https://api.monitoring.example.com/v1
shared: true
auth:
  keys:
    - {key: "vault://secret/monitoring#api_key", name: DD-API-KEY, in: header}
    - {key: "vault://secret/monitoring#app_key", name: DD-APPLICATION-KEY, in: header}
test: {path: /validate}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key and where it goes."""

    key: SecretRef
    name: str
    place: str
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The fields of `auth`: always a list of keys, also where one is written without `keys` (`many` is false)."""

    keys: tuple[Key, ...]
    many: bool = True


def bind(value: Mapping[str, Any], binder: Binder) -> Bound:
    """Bind one key, or the list under `keys`; its secrets are `key`, or `keys.0.key`, `keys.1.key`."""
    many = "keys" in value
    secrets: dict[str, SecretRef] = {}
    keys: list[dict[str, Any]] = []
    for index, item in enumerate(value["keys"] if many else [value]):
        pointer: Pointer = ("auth", "keys", index) if many else ("auth",)
        fields, found = binder.fields(item, pointer, SECRET_FIELDS)
        secrets |= {_field(many, index): ref for ref in found.values()}
        fields["place"] = fields.pop("in")
        keys.append(fields)
    broken = bool(binder.diagnostics)
    config = None if broken else Config(keys=tuple(Key(**key) for key in keys), many=many)
    return Bound(config=config, secrets=secrets)


def _field(many: bool, index: int) -> str:
    """Name a key by where it is written."""
    return f"keys.{index}.key" if many else "key"


def shown(config: Config, labels: Mapping[str, str]) -> Shown:
    """Show each key where it is sent."""
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    cookies: list[str] = []
    for index, key in enumerate(config.keys):
        label = labels[_field(config.many, index)]
        if key.place == "header":
            headers[key.name] = bare_scheme(key.prefix) + label
        elif key.place == "query":
            query[key.name] = key.prefix + label
        else:
            cookies.append(f"{key.name}={key.prefix}{label}")
    if cookies:
        headers["Cookie"] = "; ".join(cookies)
    return Shown(headers, query)


class Authenticator(Fixed):
    """Adds each key where it belongs."""

    def __init__(self, config: Config, fields: Mapping[str, Secret | str], means: Means) -> None:  # noqa: ARG002 - the same for every type
        self._keys = [
            (key, revealed(fields[_field(config.many, index)])) for index, key in enumerate(config.keys)
        ]

    async def apply(self, request: Outgoing) -> None:
        """Add the keys."""
        cookies: list[str] = []
        for key, value in self._keys:
            if key.place == "header":
                request.headers.append((key.name, bare_scheme(key.prefix) + value))
            elif key.place == "query":
                request.query.append((key.name, key.prefix + value))
            else:
                cookies.append(f"{key.name}={quote(key.prefix + value, safe='!#$%&()*+-./:<=>?@[]^_`{|}~')}")
        if cookies:
            request.headers.append(("Cookie", "; ".join(cookies)))
