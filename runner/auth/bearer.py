"""A token in the Authorization header (RFC 6750), with `Bearer` or another prefix."""

from collections.abc import Mapping

from runner.auth import Fixed, Means, Outgoing, Shown, bare_scheme, revealed
from runner.frozen import dataclass
from runner.language import closed, secret, text
from runner.secret_ref import SecretRef
from runner.sensitive import Secret

SUMMARY = "a token in the Authorization header"
SCHEMA = closed(
    {
        "token": secret("The token."),
        "prefix": text(
            "Text before the token. Default `Bearer `. One word is followed by a space; `Token token=` is taken as it is; empty for none.",
            examples=["Token token="],
        ),
    },
    required=("token",),
    description="A token in the Authorization header.",
    examples=[{"token": "vault://secret/support/tickets#api_token"}],
)
SECRET_FIELDS = frozenset({"token"})
EXAMPLE = """\
type: bearer
description: Ticket system
base_url: https://tickets.example.com/api/v2
shared: true
auth:
  token: vault://secret/support/tickets#api_token
test: {path: /me}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The fields of `auth`."""

    token: SecretRef
    prefix: str = "Bearer "


def shown(config: Config, labels: Mapping[str, str]) -> Shown:
    """Show the header."""
    return Shown({"Authorization": bare_scheme(config.prefix) + labels["token"]})


class Authenticator(Fixed):
    """Sends `Authorization: PREFIX TOKEN`."""

    def __init__(self, config: Config, fields: Mapping[str, Secret | str], means: Means) -> None:  # noqa: ARG002 - the same for every type
        self._value = bare_scheme(config.prefix) + revealed(fields["token"])

    async def apply(self, request: Outgoing) -> None:
        """Add the header."""
        request.headers.append(("Authorization", self._value))
