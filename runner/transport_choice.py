"""Which transport sends requests: the order in which they are tried, and what the environment says of it.

A module of its own, with nothing to import, for `runner version`.
"""

from collections.abc import Container, Mapping

ORDER = ("httptools", "httpx")
"""The transports, best first. Each request goes by the first that is installed and can send it; the last can send all."""
CHOICE = "RUNNER_TRANSPORT"
"""The variable of the environment that puts one of them first."""


def preferred(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Give the transports in the order they are tried; raises UsageError where the environment names none of them."""
    first = environ.get(CHOICE)
    if not first:
        return ORDER
    if first not in ORDER:
        from runner.errors import UsageError

        raise UsageError(f"{CHOICE} names no transport", help=f"it can be {', '.join(ORDER)}")
    return (first, *(name for name in ORDER if name != first))


def in_use(environ: Mapping[str, str], installed: Container[str]) -> str | None:
    """Name the transport that requests go by unless it cannot send them; None where the environment names none."""
    if environ.get(CHOICE) and environ[CHOICE] not in ORDER:
        return None
    return next((name for name in preferred(environ) if name in installed), None)
