"""Writes of which nobody knows whether they reached their server: sent again only where somebody says so."""

from collections.abc import Sequence

from runner.cli.output import Output
from runner.cli.person import agree, is_there


def agree_to_send_again(keys: Sequence[str], output: Output) -> None:
    """Ask whether to send these writes again; raises DeclinedError, and UsageError where nobody can be asked."""
    listed = ", ".join(f"'{key}'" for key in keys[:10]) + (", ..." if len(keys) > 10 else "")
    count = f"{len(keys)} write{'s' if len(keys) > 1 else ''}"
    told = f"{count} may or may not have reached the server when the run ended: {listed}"
    if is_there():
        output.error(told)
    agree(
        "send again?",
        output,
        nobody=told,
        help="see at the server whether it is done; --retry-unknown sends it again",
    )
