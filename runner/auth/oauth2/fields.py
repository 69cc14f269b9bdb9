"""The fields of `auth` with `type: oauth2`: their schema, which grant takes which, and the Config that carries them."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from runner.auth import bare_scheme
from runner.frozen import dataclass
from runner.language import closed, secret, text, time_span
from runner.secret_ref import SecretRef
from runner.template import Template

CLIENT, REFRESH, CODE, DEVICE, JWT = (
    "client_credentials",
    "refresh_token",
    "authorization_code",
    "device_code",
    "jwt_bearer",
)
GRANTS = (CLIENT, REFRESH, CODE, DEVICE, JWT)
ALGORITHMS = ("RS256", "ES256")

_URL = "`vars` and `environment` may stand in it."
_PARAMETERS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
PROPERTIES: dict[str, Any] = {
    "grant": text(
        "How a token is obtained. The result of `authorization_code` and `device_code` is stored by `runner connections login`.",
        enum=list(GRANTS),
        examples=["client_credentials"],
    ),
    "token_url": text(
        f"The token endpoint, https. {_URL}", examples=["https://auth.example.com/oauth/token"]
    ),
    "client_id": text("The client's identifier: text, or a secret reference.", examples=["runner"]),
    "client_secret": secret("The client's secret. Left out for a public client."),
    "client_auth": text(
        "How the client proves itself: in the `body` (default), by a `basic` header (RFC 6749, 2.3.1), by an assertion signed with `private_key` (private_key_jwt, RFC 7523), or by the certificate of `tls.cert` (tls_client_auth, RFC 8705).",
        enum=["body", "basic", "private_key_jwt", "tls_client_auth"],
        examples=["basic"],
    ),
    "certificate_bound": {
        "type": "boolean",
        "description": "true: tokens are bound to the certificate of `tls.cert` (RFC 8705, 3), which is presented to the provider's endpoints as well, whatever their host. Default false.",
        "examples": [True],
    },
    "scopes": {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "minItems": 1,
        "description": "The scopes to ask for.",
        "examples": [["tickets:read", "tickets:write"]],
    },
    "scope_separator": text(
        "What stands between two scopes. Default a space.", enum=[" ", ","], examples=[","]
    ),
    "audience": text(
        f"For whom the token is: the parameter `audience`, of jwt_bearer the claim `aud` (default: the token URL). {_URL}",
        examples=["https://api.example.com"],
    ),
    "extra": {
        **_PARAMETERS,
        "description": "More parameters for the token endpoint. `vars` and `environment` may stand in them.",
        "examples": [{"account_id": "{{ vars.account }}"}],
    },
    "grant_type": text(
        "The `grant_type` to send, where a provider has its own name for client_credentials or jwt_bearer.",
        examples=["account_credentials"],
    ),
    "token_format": text(
        "How parameters are sent to the token endpoint: `form` (default) or `json`.",
        enum=["form", "json"],
        examples=["json"],
    ),
    "token_field": text(
        "Where the access token stands in the answer, by dots. Default access_token.",
        pattern=r"^[^.\s]+(\.[^.\s]+)*$",
        examples=["authed_user.access_token"],
    ),
    "lifetime": time_span(
        "How long a token is valid where the answer does not say. Default: until it is refused.", "1h"
    ),
    "header": text(
        "Header that carries the token. Default Authorization.",
        pattern="^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        examples=["X-Access-Token"],
        **{"x-message": "a header name (letters, digits and -)"},
    ),
    "prefix": text(
        "Text before the token. Default `Bearer ` in Authorization, nothing in another header. One word is followed by a space.",
        examples=["Zoho-oauthtoken"],
    ),
    "private_key": secret(
        "The key that signs assertions: PEM text, or the JSON of a Google service account. Needs the extra runner.d[jwt]."
    ),
    "key_id": text("`kid` of the assertion. Default: the one of the JSON.", examples=["2X9R4HXF34"]),
    "algorithm": text("How assertions are signed. Default RS256.", enum=list(ALGORITHMS), examples=["ES256"]),
    "issuer": text(
        "`iss` of the assertion. Default: client_id, or the account of the JSON.",
        examples=["robot@example.com"],
    ),
    "subject": text(
        "`sub` of the assertion: as whom. Default: for nobody else than the issuer.",
        examples=["someone@example.com"],
    ),
    "claims": {
        **_PARAMETERS,
        "description": "More claims of the assertion. `vars` and `environment` may stand in them.",
        "examples": [{"box_sub_type": "enterprise"}],
    },
    "refresh_token": secret(
        "Where the refresh token is stored. The path belongs to this connection: tokens are written back to it."
    ),
    "rotates": {
        "type": "boolean",
        "description": "false: the provider never replaces the refresh token, so nothing is written back. Default true.",
        "examples": [False],
    },
    "access_token": secret(
        "Where the access token is stored, instead of `refresh_token`: for providers whose tokens do not expire."
    ),
    "authorize_url": text(
        f"The page on which a person consents. {_URL}", examples=["https://auth.example.com/oauth/authorize"]
    ),
    "authorize_extra": {
        **_PARAMETERS,
        "description": "More parameters for the page of consent.",
        "examples": [{"access_type": "offline"}],
    },
    "redirect_uri": text(
        "Where the provider sends the person back to. Default http://127.0.0.1:PORT/callback with a free port. What is not on this machine is pasted: `login --paste`.",
        examples=["http://127.0.0.1:8765/callback"],
    ),
    "pkce": {
        "type": "boolean",
        "description": "false leaves PKCE (RFC 7636, S256) out, for providers that refuse it. Default true.",
        "examples": [False],
    },
    "device_url": text(
        f"The device authorization endpoint (RFC 8628), https. {_URL}",
        examples=["https://auth.example.com/device/code"],
    ),
    "revocation_url": text(
        f"Where `runner connections logout` revokes the token (RFC 7009), https. {_URL}",
        examples=["https://auth.example.com/oauth/revoke"],
    ),
}

_CONSENT = {"access_token", "authorize_url", "authorize_extra", "redirect_uri", "pkce", "device_url"}
_STORED = {"refresh_token", "rotates", "revocation_url"}
_SIGNED = {"issuer", "subject", "claims"}
_UNFIT: dict[str, set[str]] = {
    CLIENT: _CONSENT | _STORED | _SIGNED,
    REFRESH: _CONSENT | _SIGNED | {"grant_type"},
    CODE: _SIGNED | {"device_url", "grant_type"},
    DEVICE: _SIGNED | {"authorize_url", "authorize_extra", "redirect_uri", "pkce", "grant_type"},
    JWT: _CONSENT | _STORED | {"client_auth"},
}
_REQUIRED: dict[str, tuple[str, ...]] = {
    CLIENT: ("client_id",),
    REFRESH: ("client_id", "refresh_token"),
    CODE: ("client_id", "authorize_url"),
    DEVICE: ("client_id", "device_url"),
    JWT: ("private_key",),
}
_ONE_STORE = {
    "if": {"required": ["access_token"]},
    "then": {"properties": {"refresh_token": False, "rotates": False}},
    "else": {"required": ["refresh_token"]},
}
"""Where the result of a login is stored: one of the two."""


def _branch(grant: str) -> dict[str, Any]:
    then: dict[str, Any] = {
        "required": list(_REQUIRED[grant]),
        "properties": dict.fromkeys(sorted(_UNFIT[grant]), False),
    }
    if grant in (CODE, DEVICE):
        then |= _ONE_STORE
    return {"if": {"properties": {"grant": {"const": grant}}, "required": ["grant"]}, "then": then}


SCHEMA = {
    **closed(
        PROPERTIES,
        required=("grant", "token_url"),
        description="A token that is obtained from a token endpoint, renewed before it expires and after a 401.",
        examples=[
            {
                "grant": "client_credentials",
                "token_url": "https://auth.example.com/oauth/token",
                "client_id": "runner",
                "client_secret": "vault://secret/support/tickets-app#client_secret",
            }
        ],
    ),
    "allOf": [
        *(_branch(grant) for grant in GRANTS),
        {
            "if": {"properties": {"client_auth": {"const": "private_key_jwt"}}, "required": ["client_auth"]},
            "then": {"required": ["private_key"], "properties": {"client_secret": False}},
            "else": {
                "if": {"properties": {"grant": {"const": JWT}}, "required": ["grant"]},
                "else": {"properties": dict.fromkeys(("private_key", "key_id", "algorithm"), False)},
            },
        },
        {
            "if": {"properties": {"client_auth": {"const": "tls_client_auth"}}, "required": ["client_auth"]},
            "then": {"properties": {"client_secret": False}},
        },
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The fields of `auth`; `lifetime` in seconds."""

    grant: str
    token_url: Template
    client_id: Template | SecretRef | None = None
    client_secret: SecretRef | None = None
    client_auth: str = "body"
    certificate_bound: bool = False
    scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    audience: Template | None = None
    extra: Mapping[str, Template] = field(default_factory=dict)
    grant_type: str | None = None
    token_format: str = "form"  # noqa: S105 - a form, no secret
    token_field: str = "access_token"  # noqa: S105 - a name
    lifetime: float | None = None
    header: str = "Authorization"
    prefix: str | None = None
    private_key: SecretRef | None = None
    key_id: str | None = None
    algorithm: str = "RS256"
    issuer: Template | None = None
    subject: Template | None = None
    claims: Mapping[str, Template] = field(default_factory=dict)
    refresh_token: SecretRef | None = None
    rotates: bool = True
    access_token: SecretRef | None = None
    authorize_url: Template | None = None
    authorize_extra: Mapping[str, Template] = field(default_factory=dict)
    redirect_uri: Template | None = None
    pkce: bool = True
    device_url: Template | None = None
    revocation_url: Template | None = None

    @property
    def before(self) -> str:
        """The text before the token."""
        if self.prefix is not None:
            return bare_scheme(self.prefix)
        return "Bearer " if self.header.lower() == "authorization" else ""

    @property
    def presents(self) -> bool:
        """Whether the provider's endpoints are shown the connection's client certificate, whatever their host."""
        return self.certificate_bound or self.client_auth == "tls_client_auth"

    @property
    def scope(self) -> str:
        """The parameter `scope`."""
        return self.scope_separator.join(self.scopes)

    @property
    def interactive(self) -> bool:
        """Whether a person consents, at `runner connections login`."""
        return self.grant in (CODE, DEVICE)
