"""Asking before something is done: what will be done is said first, in any case."""

from collections.abc import Sequence

from runner.cli.output import Output
from runner.errors import UsageError


def confirmed(steps: Sequence[str], output: Output, *, yes: bool) -> bool:
    """Say what will be done and ask whether to do it; False where the answer is no.

    With `yes` nobody is asked. Raises UsageError where nobody can be asked: a script says `--yes`.
    """
    from runner.reports.text.style import one_line

    for step in steps:
        output.error(f"- {one_line(step)}")
    if yes:
        return True
    answer = output.ask("do it? [y/N] ")
    if answer is None:
        raise UsageError("nothing was done: nobody is there to be asked", help="--yes does it without asking")
    if answer.strip().lower() in ("y", "yes"):
        return True
    output.error("nothing was done")
    return False
