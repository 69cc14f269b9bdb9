"""No credentials at all."""

from collections.abc import Mapping

from runner.auth import Fixed, Means, Outgoing, Shown
from runner.frozen import dataclass
from runner.sensitive import Secret

SUMMARY = "no credentials"
SCHEMA = None
SECRET_FIELDS: frozenset[str] = frozenset()
EXAMPLE = """\
type: none
description: Exchange rates
base_url: https://rates.example.com
shared: true
test: {path: /latest}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Nothing to configure."""


def shown(config: Config, labels: Mapping[str, str]) -> Shown:  # noqa: ARG001 - the same for every type
    """Show nothing."""
    return Shown()


class Authenticator(Fixed):
    """Adds nothing."""

    def __init__(self, config: Config, fields: Mapping[str, Secret | str], means: Means) -> None:
        pass

    async def apply(self, request: Outgoing) -> None:
        """Leave the request as it is."""
