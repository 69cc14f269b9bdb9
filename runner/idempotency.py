"""Idempotency keys: what lets an API see that a POST or PATCH is the same one sent again.

The key is a pure function of the run and the step, so that every attempt, also one after a resume, carries the same.
(IETF draft "The Idempotency-Key HTTP Header Field"; Stripe, Zendesk and others take any text of up to 255 characters,
PayPal up to 38: a UUID fits all.)
"""

from runner.model import IDEMPOTENT_METHODS, Action, Connection
from runner.paginators import effective

SHOWN = "‹idempotency key›"
"""What stands in a plan where a run will send a key."""

_NAMESPACE = "0b9f7c1e-6a55-4e0e-9d1c-2f1f6e6d5a10"


def key(run_id: str, step: str) -> str:
    """Make the key of a step (an action, or one item of it: `page[17]`) in a run."""
    from uuid import UUID, uuid5

    return str(uuid5(UUID(_NAMESPACE), f"{run_id}\n{step}"))


def header(action: Action, connection: Connection | None) -> str | None:
    """Name the header in which the request of an action carries a key; None where it carries none.

    A method that is idempotent needs none. Pages carry none: an API that knows the key would answer with the first page
    again. Nor does the request of a connection test: its key would be the same for ever.
    """
    if connection is None or connection.idempotency is None or action.section == "test":
        return None
    if effective(action, connection) is not None:
        return None
    return None if action.config.method in IDEMPOTENT_METHODS else connection.idempotency


def repeatable(action: Action, connection: Connection | None) -> bool:
    """Tell whether sending the request of an action again is harmless although the server may have acted."""
    return (
        action.config.method in IDEMPOTENT_METHODS
        or action.idempotent
        or header(action, connection) is not None
    )
