"""What a login does beside the run: obtain tokens from a person's consent, and end them at the provider."""

from collections.abc import Mapping
from typing import Any

from runner.auth import Means, Person, revealed
from runner.auth.oauth2.device import by_code
from runner.auth.oauth2.endpoint import Endpoint, answered
from runner.auth.oauth2.fields import DEVICE, Config
from runner.auth.oauth2.page import by_page
from runner.auth.oauth2.stored import state
from runner.errors import Failure, FailureError, FailureKind
from runner.sensitive import Secret


async def consent(
    config: Config, fields: Mapping[str, Secret | str], means: Means, person: Person
) -> tuple[str, dict[str, Any]]:
    """Have a person consent; gives the secret field that the tokens are for, and what to store at its path."""
    endpoint = Endpoint(config, fields, means)
    way = by_code if config.grant == DEVICE else by_page
    token = await way(config, endpoint, means, person)
    if config.refresh_token is not None:
        if token.refresh is None:
            raise FailureError(
                Failure(
                    kind=FailureKind.UNAUTHORIZED,
                    message="the provider gave an access token and no refresh token",
                    help="ask for one, by the scope offline_access or by `authorize_extra` (access_type: offline); where its tokens do not expire, write `access_token` in place of `refresh_token`",
                )
            )
        return "refresh_token", state(config.refresh_token.field, token, endpoint.host)
    assert config.access_token is not None
    if token.expires_at is not None:
        hours = (token.expires_at - token.obtained_at) / 3600
        means.warn(
            f"this access token ends in {hours:.1f} h and nothing renews it: write `refresh_token` in place of `access_token`"
        )
    kept = state("", token, endpoint.host)
    return "access_token", {
        **{name: item for name, item in kept.items() if name not in ("", "access_token")},
        config.access_token.field: token.value,
    }


async def revoke(config: Config, fields: Mapping[str, Secret | str], means: Means) -> bool:
    """Revoke what is stored (RFC 7009); False where there is no `revocation_url`. Raises FailureError."""
    if config.revocation_url is None:
        return False
    kind = "refresh_token" if config.refresh_token is not None else "access_token"
    url = means.text(config.revocation_url).strip()
    reply = await Endpoint(config, fields, means).post(
        url, {"token": revealed(fields[kind]), "token_type_hint": kind}
    )
    # The answer to a success may be empty, and a token that is not known is revoked (RFC 7009, 2.2).
    if not (200 <= reply.status < 300 and not reply.body.strip()):
        answered(reply, url, "revocation endpoint")
    return True
