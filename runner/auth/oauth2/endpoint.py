"""Speaks with a token endpoint: parameters out, a token or the reason of a refusal back (RFC 6749, 5).

Providers differ: errors inside a 200, errors as objects, answers as forms, `expires_in` as text or not at all.
"""

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from runner import exact_json
from runner.auth import FieldError, Means, Message, Reply, revealed
from runner.auth.oauth2.fields import JWT, Config
from runner.auth.oauth2.token import Token
from runner.errors import Failure, FailureError, FailureKind
from runner.sensitive import Secret
from runner.template import Template

if TYPE_CHECKING:
    from runner.auth.oauth2.assertion import Assertions

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523, 2.2
LONGEST_SAID = 300
"""Characters of a provider's own text that are shown."""
_REMEDIES = {
    "invalid_client": "check client_id, client_secret and `client_auth` (body, basic, private_key_jwt or tls_client_auth, by the certificate of `tls.cert`): the provider does not know the client by these",
    "invalid_scope": "check `scopes` against what the client was granted at the provider",
    "unauthorized_client": "permit this grant to the client at the provider",
    "unsupported_grant_type": "the provider has no such grant: check `grant`, and `grant_type` if its name is another",
}


class RefusedError(FailureError):
    """The token endpoint answered with an error. `code` is its name by RFC 6749, 5.2, or empty."""

    def __init__(self, failure: Failure, code: str) -> None:
        super().__init__(failure)
        self.code = code


class Endpoint:
    """The endpoints of one client, with the client's own credentials."""

    def __init__(self, config: Config, fields: Mapping[str, Secret | str], means: Means) -> None:
        self._config = config
        self._fields = fields
        self._means = means
        self._assertions: Assertions | None = None

    @property
    def host(self) -> str:
        """Host and port of the token endpoint, as it stands in the URL."""
        return urlsplit(self._means.text(self._config.token_url).strip()).netloc.lower()

    @property
    def client_id(self) -> str:
        """The client's identifier; empty where there is none."""
        given = self._config.client_id
        if given is None:
            return ""
        text = self._means.text(given) if isinstance(given, Template) else revealed(self._fields["client_id"])
        if not text.strip():
            raise FieldError("client_id", "is empty", help="write the identifier that the provider shows")
        return text

    @property
    def assertions(self) -> "Assertions":
        """What signs with the private key."""
        if self._assertions is None:
            from runner.auth.oauth2.assertion import Assertions

            self._assertions = Assertions(self._config, revealed(self._fields["private_key"]), self._means)
        return self._assertions

    async def token(self, parameters: Mapping[str, str]) -> Token:
        """Ask for a token; raises RefusedError for an answer that is none, FailureError where none came.

        Every token of the answer is registered before this returns.
        """
        config = self._config
        extra = {name: self._means.text(item) for name, item in config.extra.items()}
        asked = self._means.now()
        url = self._means.text(config.token_url).strip()
        reply = await self.post(url, {**parameters, **extra})
        data = answered(reply, url)
        value = _dig(data, config.token_field)
        if not isinstance(value, str) or not value:
            raise _refusal(
                reply, data, f"the token endpoint at {urlsplit(url).netloc}", missing=config.token_field
            )
        self._means.register(value, "an access token")
        refresh = data.get("refresh_token")
        refresh = refresh if isinstance(refresh, str) and refresh else None
        if refresh:
            self._means.register(refresh, "a refresh token")
        for part in (data, *(item for item in data.values() if isinstance(item, dict))):
            for name in ("access_token", "id_token", "refresh_token"):
                if isinstance(part.get(name), str) and part[name] not in (value, refresh):
                    self._means.register(part[name], f"an {name} that is not used")
        lifetime = _seconds(data.get("expires_in")) or config.lifetime
        return Token(
            value=value,
            obtained_at=asked,
            expires_at=asked + lifetime if lifetime else None,
            refresh=refresh,
            scope=str(data.get("scope", "")),
        )

    async def post(self, url: str, parameters: Mapping[str, str]) -> Reply:
        """Send parameters with the client's credentials."""
        body, headers = self._with_client({name: text for name, text in parameters.items() if text})
        if self._config.token_format == "json":  # noqa: S105 - a form, no secret
            content, kind = json.dumps(body).encode(), "application/json"
        else:
            content, kind = urlencode(body).encode(), "application/x-www-form-urlencoded"
        sent = (("Content-Type", kind), ("Accept", "application/json"), *headers)
        return await self._means.send(
            Message(
                method="POST",
                url=url,
                headers=sent,
                body=content,
                encrypted=True,
                certificate=self._config.presents,
            )
        )

    def _with_client(self, body: dict[str, str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
        config = self._config
        secret = revealed(self._fields.get("client_secret", ""))
        if config.grant == JWT and not secret:
            return body, []  # the assertion says who asks
        if config.client_auth == "private_key_jwt":
            assertion = self.assertions.of_client(self.client_id)
            proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
            return {**body, "client_id": self.client_id, **proof}, []
        if config.client_auth == "basic":
            # Both are form-encoded before they are joined: RFC 6749, 2.3.1.
            pair = f"{quote_plus(self.client_id)}:{quote_plus(secret)}"
            encoded = base64.b64encode(pair.encode()).decode()
            if secret:
                self._means.register(encoded, "the client's credentials")
            return body, [("Authorization", f"Basic {encoded}")]
        return {**body, "client_id": self.client_id, **({"client_secret": secret} if secret else {})}, []


def answered(reply: Reply, url: str, what: str = "token endpoint") -> dict[str, Any]:
    """Read an answer; raises RefusedError for an error, also for one inside a 200."""
    data = _read(reply)
    failed = not 200 <= reply.status < 300
    if failed or data is None or "error" in data or data.get("ok") is False:
        raise _refusal(reply, data or {}, f"the {what} at {urlsplit(url).netloc}")
    return data


def _read(reply: Reply) -> dict[str, Any] | None:
    text = reply.body.decode("utf-8", "replace").strip()
    if reply.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(text))
    try:
        data = exact_json.bounded(text)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _refusal(reply: Reply, data: Mapping[str, Any], where: str, missing: str = "") -> RefusedError:
    code, said = _said(data)
    if missing:
        message = f"{where} answered {reply.status} without '{missing}'"
        names = ", ".join(sorted(_clean(str(name), 40) for name in data)[:20])
        remedy = (
            f"it has: {names}; `token_field` says where the token stands" if names else "check `token_url`"
        )
    elif code or said:
        message = f"{where} answered {reply.status}: {': '.join(filter(None, (code, said)))}"
        remedy = _REMEDIES.get(code, "the words are the provider's own")
    elif 300 <= reply.status < 400:
        message = f"{where} answered {reply.status}, a redirect, which would carry credentials elsewhere"
        remedy = "write the URL it leads to as `token_url`, if it is the provider's"
    else:
        kind = reply.headers.get("content-type", "no content type").partition(";")[0]
        message = f"{where} answered {reply.status} with no JSON ({_clean(kind, 60)})"
        remedy = "check `token_url`; a proxy or a login page may stand in between"
    passing = reply.status >= 500 or reply.status == 429
    kind_of = FailureKind.RATE_LIMITED if reply.status == 429 else FailureKind.UNEXPECTED_STATUS
    failure = Failure(
        kind=kind_of if passing else FailureKind.UNAUTHORIZED,
        message=message,
        help="try again later" if passing else remedy,
        retryable=passing,
    )
    return RefusedError(failure, code)


def _said(data: Mapping[str, Any]) -> tuple[str, str]:
    """Give the name of an error and its text, from the places where providers put them."""
    error = data.get("error")
    inner = error if isinstance(error, dict) else {}
    code = (
        error if isinstance(error, str) else inner.get("code") or inner.get("type") or data.get("errorCode")
    )
    places = (
        data.get("error_description"),
        inner.get("message"),
        data.get("errorSummary"),
        data.get("message"),
    )
    said = next((item for item in places if isinstance(item, str) and item), "")
    return (_clean(str(code), 60) if isinstance(code, str | int) else ""), _clean(said, LONGEST_SAID)


def _clean(text: str, most: int) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= most else line[:most] + "…"


def _dig(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _seconds(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < 1e10 else None
