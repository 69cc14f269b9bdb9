"""What a run shows while it goes on: a line per action as it ends, now and then how far a long one is; on a terminal also what it is doing now."""

import time
from collections.abc import Callable, Iterable

from runner.cli.output import Output
from runner.duration import written
from runner.errors import JsonObject
from runner.reports.text import outcome
from runner.reports.text.style import Style, one_line
from runner.result import ActionResult

EVERY = 30.0
"""Seconds between two lines about the items or pages of something that takes long, where no terminal is."""


class Progress:
    """Watches a run and tells about it on stderr."""

    def __init__(
        self, output: Output, keys: Iterable[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._output = output
        self._style = Style(color=output.error_color)
        self._width = min(max(map(len, keys), default=0), 30)
        self._clock = clock
        self._shown = clock()

    def started(self, key: str, data: JsonObject) -> None:
        """Show what is going on."""
        del data
        self._output.detail(f"start    {one_line(key)}")
        if "[" not in key:  # how far the items of a for_each are says `advanced`
            self._output.progress(f"running  {key} ...")

    def retrying(self, key: str, data: JsonObject) -> None:
        """Tell that an attempt failed: the run takes longer, and people wonder why."""
        why = one_line(str(data.get("why") or "it failed"))
        why = f"page {data['page']}: {why}" if data.get("page") else why
        wait = written(float(data.get("wait") or 0.0))
        self._output.say(
            f"retry    {one_line(key).ljust(self._width)}  {why} (attempt {data.get('attempt', '?')}); again in {wait}"
        )
        self._output.progress(f"waiting  {key} ...")

    def advanced(self, key: str, counts: JsonObject) -> None:
        """Show how far the items of a `for_each` are."""
        failed = f", {counts['failed']} failed" if counts["failed"] else ""
        self._far(key, f"{counts['done']} of {counts['items']} items{failed}")

    def queued(self, key: str, data: JsonObject) -> None:
        """Show that a request waits for its turn: nothing is wrong, it takes its time."""
        connection = f"connection '{one_line(str(data.get('connection')))}'"
        if data.get("wait") is None:
            why = f"as many requests as its `concurrency` permits are on their way through the {connection}"
        else:
            why = f"rate limit of the {connection}: about {written(float(data['wait']))}"
        self._output.detail(f"queued   {one_line(key).ljust(self._width)}  {why}")
        self._output.progress(f"waiting  {key}: {why} ...")

    def paged(self, key: str, data: JsonObject) -> None:
        """Show how far the pages of a request are."""
        items = f", {data['items']} items" if data.get("items") else ""
        self._far(key, f"page {data['page']}{items}")

    def finished(self, result: ActionResult) -> None:
        """Tell how an action ended."""
        line = outcome.action(result, self._style, id_width=self._width)
        if "[" in result.key:  # one of the items of a for_each, which is told of as a whole
            self._output.detail(line)
            return
        if result.error and not result.handled:
            self._output.error(line)
        else:
            self._output.say(line)

    def _far(self, key: str, how: str) -> None:
        """Show how far something is: at once on a terminal, elsewhere now and then, for those who read a log."""
        if self._output.rewrites:
            self._output.progress(f"running  {key}: {how} ...")
            return
        now = self._clock()
        if now - self._shown >= EVERY:
            self._shown = now
            self._output.say(f"running  {one_line(key).ljust(self._width)}  {how}")

    def warned(self, text: str) -> None:
        """Tell a warning."""
        self._output.say(f"{self._style.paint('warning', 'warn')}: {one_line(text)}")
