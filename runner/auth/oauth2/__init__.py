"""OAuth 2.0 (RFC 6749): a token from a token endpoint, cached for the run, renewed early and after a 401.

`fields` says what is written under `auth`, `endpoint` speaks with the token endpoint, `assertion` signs, `holder` keeps
the token of a run, `stored` shares one between runs through Vault, `page` and `device` have a person consent, `login` is what a login does.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runner.auth import Bound, Means, Person, Shown
from runner.auth.oauth2.fields import SCHEMA, Config
from runner.bind import URL_ROOTS, Binder
from runner.diagnostics import error
from runner.duration import seconds
from runner.sensitive import Secret
from runner.template import Mode

if TYPE_CHECKING:
    from runner.auth.oauth2.holder import Holder

__all__ = [
    "MULTILINE_FIELDS",
    "SCHEMA",
    "SECRET_FIELDS",
    "SUMMARY",
    "Authenticator",
    "Config",
    "bind",
    "consent",
    "revoke",
    "shown",
]

SUMMARY = "OAuth 2.0: a token from a token endpoint"
SECRET_FIELDS = frozenset({"client_secret", "private_key", "refresh_token", "access_token"})
MULTILINE_FIELDS = frozenset({"private_key"})
URL_FIELDS = frozenset({"token_url", "authorize_url", "device_url", "revocation_url"})
_TEMPLATES = frozenset({"client_id", "audience", "issuer", "subject", "redirect_uri"})
_MAPPINGS = ("extra", "claims", "authorize_extra")
_PRESENTED = frozenset({"token_url", "device_url", "revocation_url"})
_TO_TOKEN_URL = ("client_id", "client_secret", "private_key", "refresh_token")
EXAMPLE = """\
type: oauth2
description: Ticket system
base_url: https://api.example.com
shared: true
auth:
  grant: client_credentials
  token_url: https://auth.example.com/oauth/token
  client_id: runner
  client_secret: vault://secret/support/tickets-app#client_secret
  scopes: [tickets:read]
test: {path: /me}
"""


def bind(value: Mapping[str, Any], binder: Binder) -> Bound:
    """Bind the fields: all but a few words are templates over `vars` and `environment`."""
    plain = {name: item for name, item in value.items() if name not in _MAPPINGS}
    fields, secrets = binder.fields(plain, ("auth",), SECRET_FIELDS, URL_FIELDS | _TEMPLATES)
    for name in _MAPPINGS:
        if name in value:
            fields[name] = {
                key: binder.template(_written(item), ("auth", name, key), URL_ROOTS, mode=Mode.TEXT)
                for key, item in value[name].items()
            }
    if "scopes" in value:
        fields["scopes"] = tuple(value["scopes"])
    if "lifetime" in value:
        fields["lifetime"] = seconds(value["lifetime"])
    written = frozenset({"refresh_token"} & secrets.keys()) if value.get("rotates", True) else frozenset()
    if value["grant"] == "authorization_code" and "client_id" in secrets:
        message = "`client_id` stands in the address of the page of consent, which is shown: it is no secret"
        binder.diagnostics.append(
            error("malformed-secret-ref", message, secrets["client_id"].span, help="write it as text")
        )
    for name in written:
        ref = secrets[name]
        if ref.scheme != "vault" or ref.version is not None:
            what = "pins a version" if ref.scheme == "vault" else "is in the environment"
            binder.diagnostics.append(
                error(
                    "malformed-secret-ref",
                    f"the reference {what}, and a refresh token that the provider replaces is written back",
                    ref.span,
                    help="write vault://MOUNT/PATH#FIELD without a version; if the provider never replaces it, add `rotates: false`",
                )
            )
    if binder.diagnostics:
        return Bound(config=None, secrets=secrets)
    config = Config(**fields)
    return Bound(
        config=config,
        secrets=secrets,
        urls={name: fields[name] for name in sorted(URL_FIELDS) if name in fields},
        sent_to={name: "token_url" for name in _TO_TOKEN_URL if name in secrets},
        presented=_PRESENTED & fields.keys() if config.presents else frozenset(),
        written=written,
        consented=frozenset({"refresh_token", "access_token"} & secrets.keys())
        if config.interactive
        else frozenset(),
    )


def _written(item: Any) -> str:
    return item if isinstance(item, str) else str(item).lower() if isinstance(item, bool) else str(item)


def shown(config: Config, labels: Mapping[str, str]) -> Shown:
    """Show the header, with words for a token that is obtained."""
    token = labels.get("access_token", f"‹access token, by {config.grant}›")
    return Shown({config.header: config.before + token})


def Authenticator(config: Config, fields: Mapping[str, Secret | str], means: Means) -> "Holder":  # noqa: N802 - the name that every type gives it
    """Make what obtains tokens; a function, so that checking imports none of it."""
    from runner.auth.oauth2.holder import Holder

    return Holder(config, fields, means)


async def consent(
    config: Config, fields: Mapping[str, Secret | str], means: Means, person: Person
) -> tuple[str, dict[str, Any]]:
    """Have a person consent; gives the secret field that the tokens are for, and what to store at its path."""
    from runner.auth.oauth2 import login

    return await login.consent(config, fields, means, person)


async def revoke(config: Config, fields: Mapping[str, Secret | str], means: Means) -> bool:
    """Revoke what is stored (RFC 7009); False where there is no `revocation_url`. Raises FailureError."""
    from runner.auth.oauth2 import login

    return await login.revoke(config, fields, means)
