"""User name and password (RFC 7617, UTF-8)."""

import base64
from collections.abc import Mapping

from runner.auth import FieldError, Fixed, Means, Outgoing, Shown, revealed
from runner.frozen import dataclass
from runner.language import closed, secret, text
from runner.secret_ref import SecretRef
from runner.sensitive import Secret

SUMMARY = "user name and password"
SCHEMA = closed(
    {
        "username": text("The user name: text, or a secret reference.", examples=["robot@example.com/token"]),
        "username_suffix": text(
            "Text that is sent after the user name, where an API wants one.", examples=["/token"]
        ),
        "password": secret("The password or API token. Left out: an empty password."),
    },
    required=("username",),
    description="User name and password in the Authorization header.",
    examples=[{"username": "robot@example.com/token", "password": "vault://secret/support/tickets#password"}],
)
SECRET_FIELDS = frozenset({"password"})
EXAMPLE = """\
type: basic
description: Ticket system
base_url: https://tickets.example.com/api/v2
shared: true
auth:
  username: robot@example.com/token
  password: vault://secret/support/tickets#api_token
test: {path: /me}
"""
MULTILINE_FIELDS = frozenset({"username", "password"})
"""Base64 carries everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The fields of `auth`. A preset may give a password that is none, such as `X`."""

    username: SecretRef | str
    username_suffix: str = ""
    password: SecretRef | str = ""


def shown(config: Config, labels: Mapping[str, str]) -> Shown:
    """Show user name and password as they are before base64."""
    user = f"{labels.get('username', config.username)}{config.username_suffix}"
    return Shown({"Authorization": f"Basic {user}:{labels.get('password', config.password)}"})


class Authenticator(Fixed):
    """Sends `Authorization: Basic BASE64`."""

    def __init__(self, config: Config, fields: Mapping[str, Secret | str], means: Means) -> None:
        username = revealed(fields["username"]) + config.username_suffix
        if ":" in username:
            raise FieldError(
                "username",
                "holds a colon, which type basic cannot send",
                help="what follows the colon would be read as the password: put that into auth.password",
            )
        pair = f"{username}:{revealed(fields.get('password', ''))}"
        encoded = base64.b64encode(pair.encode()).decode()
        means.register(encoded, "the Basic credentials")
        self._value = f"Basic {encoded}"

    async def apply(self, request: Outgoing) -> None:
        """Add the header."""
        request.headers.append(("Authorization", self._value))
