"""`runner runs`: the list of runs."""

import argparse
import time
from typing import TYPE_CHECKING

from runner import duration
from runner.cli import engine_runs, engines
from runner.cli.arguments import add_format, one_of
from runner.cli.histories import add_state, existing
from runner.cli.output import Output
from runner.errors import JsonObject
from runner.reports.json import dumps
from runner.reports.text.style import Style
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.history.runs import Filter

EXAMPLES = (
    "runner runs",
    "runner runs --status failed --status crashed --since 7d",
    "runner runs --workflow escalate --limit 100 --format json",
)


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    from runner.history.runs import STATUSES

    parser.add_argument("--workflow", metavar="NAME", help="runs of this workflow only")
    parser.add_argument(
        "--status",
        metavar="STATUS",
        dest="statuses",
        action="append",
        default=[],
        type=one_of(*STATUSES),
        help=f"{', '.join(STATUSES)}; may be repeated",
    )
    parser.add_argument(
        "--since", metavar="WHEN", type=_since, help="started since: 12h or 7d ago, or 2026-01-31T07:00:00Z"
    )
    parser.add_argument(
        "--limit", metavar="N", type=_limit, default=20, help="at most so many, the newest (default 20)"
    )
    add_state(parser)
    engines.add(parser, "runs on this server, in place of the history")
    add_format(parser, "text", "json")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """List the runs of the project's history, or of an engine."""
    from runner.history.runs import Filter

    wanted = Filter(
        workflow=options.workflow, statuses=options.statuses, since=options.since, limit=options.limit + 1
    )
    address = engines.chosen(options, settings)
    data = (
        _in_history(settings, wanted)
        if address is None
        else engine_runs.listed(settings, output, address, wanted)
    )
    more = len(data["runs"]) > options.limit
    data["runs"] = data["runs"][: options.limit]
    if options.format == "json":
        output.data(dumps(data))
        return 0
    from runner.reports.text.runs import listed

    output.data(listed(data, Style(color=output.color)))
    if not data["runs"]:
        filtered = options.workflow or options.statuses or options.since
        none = (
            "there are no runs yet: `runner run WORKFLOW` makes one"
            if address is None
            else "there are no runs on the engine"
        )
        output.say("no run fits" if filtered else none)
    elif more:
        output.say(f"these are the newest {options.limit}; --limit N shows more")
    return 0


def _in_history(settings: Settings, wanted: "Filter") -> JsonObject:
    from runner.history import described

    with existing(settings) as history:
        if history is None:
            return {"format": "runner.d/runs/1", "runs": []}
        return described.listed(history, history.select(wanted))


def _since(text: str) -> str:
    """Give the time as runs have theirs, with which it is compared as text."""
    from runner.perform import moment

    try:
        ago = duration.seconds(text)
    except ValueError:
        from runner.filters import FilterError, to_datetime

        try:
            return moment(to_datetime(text).timestamp())
        except (FilterError, OverflowError, ValueError):
            raise argparse.ArgumentTypeError(
                f"'{text}' is neither a duration such as 7d nor a time such as 2026-01-31T07:00:00Z"
            ) from None
    return moment(max(0.0, time.time() - ago))


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1")
    return int(text)
