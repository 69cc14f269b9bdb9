"""What a run shows while it goes on: a line per action as it ends; on a terminal also what it is doing now."""

from collections.abc import Iterable

from runner.cli.output import Output
from runner.duration import written
from runner.errors import JsonObject
from runner.reports.text import outcome
from runner.reports.text.style import Style, one_line
from runner.result import ActionResult


class Progress:
    """Watches a run and tells about it on stderr."""

    def __init__(self, output: Output, keys: Iterable[str]) -> None:
        self._output = output
        self._style = Style(color=output.error_color)
        self._width = min(max(map(len, keys), default=0), 30)

    def started(self, key: str, data: JsonObject) -> None:
        """Show what is going on."""
        del data
        self._output.detail(f"start    {one_line(key)}")
        if "[" not in key:  # how far the items of a for_each are says `advanced`
            self._output.progress(f"running  {key} ...")

    def retrying(self, key: str, data: JsonObject) -> None:
        """Tell that an attempt failed: the run takes longer, and people wonder why."""
        why = one_line(str(data.get("why") or "it failed"))
        wait = written(float(data.get("wait") or 0.0))
        self._output.say(
            f"retry    {one_line(key).ljust(self._width)}  {why} (attempt {data.get('attempt', '?')}); again in {wait}"
        )
        self._output.progress(f"waiting  {key} ...")

    def advanced(self, key: str, counts: JsonObject) -> None:
        """Show how far the items of a `for_each` are."""
        failed = f", {counts['failed']} failed" if counts["failed"] else ""
        self._output.progress(f"running  {key}: {counts['done']} of {counts['items']} items{failed} ...")

    def queued(self, key: str, data: JsonObject) -> None:
        """Show that a request waits for its turn: nothing is wrong, it takes its time."""
        wait = written(float(data.get("wait") or 0.0))
        why = f"rate limit of the connection '{one_line(str(data.get('connection')))}'"
        self._output.detail(f"queued   {one_line(key).ljust(self._width)}  {why}: about {wait}")
        self._output.progress(f"waiting  {key}: {why}, about {wait} ...")

    def paged(self, key: str, data: JsonObject) -> None:
        """Show how far the pages of a request are."""
        items = f", {data['items']} items" if data.get("items") else ""
        self._output.progress(f"running  {key}: page {data['page']}{items} ...")

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

    def warned(self, text: str) -> None:
        """Tell a warning."""
        self._output.say(f"{self._style.paint('warning', 'warn')}: {one_line(text)}")
