"""A person's consent on another device: a code that they type into a page (RFC 8628)."""

import asyncio
from typing import Any

from runner.auth import Means, Person
from runner.auth.oauth2.endpoint import Endpoint, RefusedError, answered
from runner.auth.oauth2.fields import Config
from runner.auth.oauth2.token import Token
from runner.errors import Failure, FailureError, FailureKind

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
INTERVAL = 5.0
"""Seconds between two questions where the provider names none (RFC 8628, 3.2)."""
SLOWER = 5.0
"""Seconds that `slow_down` adds (RFC 8628, 3.5)."""
LONGEST = 1800.0
"""Seconds for the person, whatever the provider permits."""


async def by_code(config: Config, endpoint: Endpoint, means: Means, person: Person) -> Token:
    """Show a code, and ask until the person has typed it in; raises FailureError."""
    assert config.device_url is not None
    url = means.text(config.device_url).strip()
    audience = means.text(config.audience) if config.audience else ""
    data = answered(
        await endpoint.post(url, {"scope": config.scope, "audience": audience}), url, "device endpoint"
    )
    device, user = data.get("device_code"), data.get("user_code")
    page = data.get("verification_uri") or data.get("verification_url")  # Google's name for it
    if not all(isinstance(item, str) and item for item in (device, user, page)):
        raise _failed(
            "the device endpoint gave no device_code, user_code and verification_uri",
            "check `device_url`",
        )
    means.register(str(device), "a device code")
    complete = data.get("verification_uri_complete")
    person.say(f"open this page and type the code {_one_line(user)}; this waits until it is done:")
    person.visit(_one_line(complete if isinstance(complete, str) else page))
    interval = _number(data.get("interval")) or INTERVAL
    end = means.now() + min(_number(data.get("expires_in")) or LONGEST, LONGEST)
    while means.now() < end:
        await asyncio.sleep(interval)
        try:
            return await endpoint.token({"grant_type": DEVICE_CODE, "device_code": str(device)})
        except RefusedError as problem:
            if problem.code == "slow_down":
                interval += SLOWER
            elif problem.code != "authorization_pending":
                raise
    raise _failed("nobody typed the code in time", "begin again")


def _number(value: Any) -> float | None:
    try:
        return float(value) if float(value) > 0 else None
    except (TypeError, ValueError):
        return None


def _one_line(text: Any) -> str:
    return "".join(char for char in str(text) if char.isprintable())[:500]


def _failed(message: str, remedy: str) -> FailureError:
    return FailureError(Failure(kind=FailureKind.UNAUTHORIZED, message=message, help=remedy))
