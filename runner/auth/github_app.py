"""A GitHub App as itself in one installation: its key signs a token, which GitHub changes into one for an hour.

The steps are those of GitHub's page "Authenticating as a GitHub App installation".
"""

import json
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from runner import exact_json
from runner.auth import Bound, FieldError, Means, Message, Outgoing, Refused, Reply, Shown, revealed
from runner.bind import Binder
from runner.errors import Failure, FailureError, FailureKind
from runner.frozen import dataclass
from runner.keys import KeyProblemError, Signer
from runner.language import Json, closed, secret
from runner.secret_ref import SecretRef
from runner.sensitive import Secret

SUMMARY = "a GitHub App, in one installation"


def _number_or_text(description: str, **more: Any) -> Json:
    return {"type": ["string", "integer"], "minimum": 1, "description": description, **more}


SCHEMA = closed(
    {
        "app_id": _number_or_text(
            "Client ID or App ID, on the page of the app's settings.",
            pattern="^[A-Za-z0-9.]+$",
            examples=["Iv23liAbCdEfGhIjKlMn"],
            **{"x-message": "the Client ID or the App ID"},
        ),
        "installation_id": _number_or_text(
            "Number at the end of the URL of the installation's settings.",
            pattern="^[0-9]+$",
            examples=[45678901],
            **{"x-message": "the number of the installation"},
        ),
        "private_key": secret("A private key of the app, in the PEM form that GitHub gives."),
        "repositories": {
            "type": "array",
            "description": "Names of repositories, without owner, that the token is for. Default: all of the installation.",
            "minItems": 1,
            "items": {
                "type": "string",
                "minLength": 1,
                "description": "A repository's name.",
                "examples": ["site"],
            },
            "examples": [["site"]],
        },
        "permissions": {
            "type": "object",
            "description": "Permissions that the token has. Default: all of the installation.",
            "minProperties": 1,
            "additionalProperties": {
                "type": "string",
                "enum": ["read", "write", "admin"],
                "description": "How far it goes.",
                "examples": ["read"],
            },
            "examples": [{"contents": "read"}],
        },
    },
    required=("app_id", "installation_id", "private_key"),
    description="A GitHub App, acting as itself in one installation.",
    examples=[
        {
            "app_id": "Iv23liAbCdEfGhIjKlMn",
            "installation_id": 45678901,
            "private_key": "vault://secret/github/app#private_key",
        }
    ],
)
SECRET_FIELDS = frozenset({"private_key"})
MULTILINE_FIELDS = frozenset({"private_key"})
EXAMPLE = """\
# needs: pip install 'runner.d[jwt]'
type: github_app
description: Release bot
base_url: https://api.github.com
shared: true
auth:
  app_id: Iv23liAbCdEfGhIjKlMn
  installation_id: 45678901
  private_key: vault://secret/github/release-bot#private_key
  permissions: {contents: read, issues: write}
headers: {X-GitHub-Api-Version: "2022-11-28", Accept: application/vnd.github+json}
test: {path: /installation/repositories}
"""

SOONER = 300.0
"""Seconds before its end from which a token is replaced, and up to a minute more by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The fields of `auth`."""

    app_id: str
    installation_id: str
    private_key: SecretRef
    repositories: list[str] | None = None
    permissions: Mapping[str, str] | None = field(default=None, hash=False)


def bind(value: Mapping[str, Any], binder: Binder) -> Bound:
    """Bind the fields; both numbers may be written as text."""
    fields, secrets = binder.fields(value, ("auth",), SECRET_FIELDS)
    named = {name: str(fields[name]) for name in ("app_id", "installation_id")}
    return Bound(config=None if binder.diagnostics else Config(**{**fields, **named}), secrets=secrets)


def shown(config: Config, labels: Mapping[str, str]) -> Shown:
    """Show the header, with words for the token."""
    token = f"‹token of installation {config.installation_id}, asked for with {labels['private_key']}›"
    return Shown({"Authorization": f"Bearer {token}"})


class Authenticator:
    """Sends the installation's token, and asks for the next one before it expires."""

    def __init__(self, config: Config, fields: Mapping[str, Secret | str], means: Means) -> None:
        import asyncio

        self._config = config
        self._means = means
        try:
            self._signer = Signer(revealed(fields["private_key"]), "RS256")
        except KeyProblemError as problem:
            raise FieldError("private_key", problem.message, help=problem.help) from None
        self._token = ""
        self._good_until = float("-inf")
        self._lock = asyncio.Lock()  # one question at a time, whoever needs the answer

    async def prepare(self) -> None:
        """Have a token that is valid for a while."""
        if self._means.now() >= self._good_until:
            async with self._lock:
                if self._means.now() >= self._good_until:
                    await self._ask()

    async def apply(self, request: Outgoing) -> None:
        """Add the header."""
        request.headers.append(("Authorization", f"Bearer {self._token}"))

    async def refresh(self, refused: Refused) -> bool:
        """Ask for another token, where the refused one is still the newest."""
        async with self._lock:
            sent = refused.request.headers if refused.request else []
            if any(self._token in value for _, value in sent):
                await self._ask()
        return True

    async def close(self) -> None:
        """Leave the token to expire: asking GitHub to revoke it would cost each run a request."""

    async def _ask(self) -> None:
        config, now = self._config, int(self._means.now())
        # A minute back for clocks that differ; GitHub takes ten minutes at most.
        app_token = self._signer.sign({"iat": now - 60, "exp": now + 540, "iss": config.app_id})
        self._means.register(app_token, "the token of the GitHub App")
        wanted: dict[str, Any] = {"repositories": config.repositories, "permissions": config.permissions}
        body = {name: value for name, value in wanted.items() if value is not None}
        answer = await self._means.send(
            Message(
                method="POST",
                url=f"{api_root(self._means.base_url())}/app/installations/{config.installation_id}/access_tokens",
                headers=(
                    ("Authorization", f"Bearer {app_token}"),
                    ("Accept", "application/vnd.github+json"),
                    ("Content-Type", "application/json"),
                    ("X-GitHub-Api-Version", "2022-11-28"),
                ),
                body=json.dumps(body).encode(),
                harmless=True,
            )
        )
        if answer.status != 201:
            raise self._refused(answer)
        try:
            told = exact_json.bounded(answer.body)
            token, end = str(told["token"]), datetime.fromisoformat(told["expires_at"]).timestamp()
        except (ValueError, KeyError, TypeError):
            raise self._failed(
                "answered the question for a token with something else",
                "is base_url that of GitHub's API (https://api.github.com, https://HOST/api/v3)?",
            ) from None
        self._means.register(token, "the token of the GitHub App's installation")
        self._token = token
        self._good_until = max(end - SOONER - 60 * self._means.jitter(), now + (end - now) / 2)

    def _refused(self, answer: Reply) -> FailureError:
        config = self._config
        remedies = {
            401: f"the key must be one of the app '{config.app_id}', and the clock of this machine right to the minute",
            403: "the installation may be suspended, or this machine's address not be allowed",
            404: f"'{config.installation_id}' must be an installation of the app '{config.app_id}', at this server",
            422: "`permissions` and `repositories` must be within what the installation was granted",
        }
        remedy = remedies.get(answer.status, "GitHub's status page may know more")
        return self._failed(
            f"gave no token for the installation (status {answer.status})",
            remedy,
            FailureKind.UNAUTHORIZED if answer.status in remedies else FailureKind.UNEXPECTED_STATUS,
            retryable=answer.status >= 500,
        )

    def _failed(
        self,
        message: str,
        remedy: str,
        kind: FailureKind = FailureKind.UNEXPECTED_STATUS,
        *,
        retryable: bool = False,
    ) -> FailureError:
        host = urlsplit(self._means.base_url()).netloc
        whole = f"{host} {message} of the connection '{self._means.connection}'"
        return FailureError(Failure(kind=kind, message=whole, help=remedy, retryable=retryable))


def api_root(base_url: str) -> str:
    """Give the root of GitHub's REST API at the host of a base URL: GitHub Enterprise Server has it under /api/v3."""
    parts = urlsplit(base_url)
    root = f"{parts.scheme}://{parts.netloc}"
    return f"{root}/api/v3" if (parts.path + "/").startswith("/api/") else root
