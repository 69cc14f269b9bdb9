"""What a run shows while it goes on, on a terminal and in a log."""

import io

from runner.cli.output import Output
from runner.cli.progress import EVERY, Progress
from runner.settings import Settings
from tests.cli.terminal import Terminal


class Shown:
    """A progress on a stream, with a clock that the test moves."""

    def __init__(self, stream: io.StringIO, **settings: object) -> None:
        self.now = 1000.0
        self.stream = stream
        output = Output(io.StringIO(), stream)
        output.use(Settings(**({"environ": {"TERM": "xterm"}} | settings)))  # type: ignore[arg-type]
        self.progress = Progress(output, ["page"], lambda: self.now)

    def items(self, done: int, failed: int = 0) -> None:
        self.progress.advanced("page", {"items": 90, "done": done, "failed": failed})


def test_a_log_has_a_line_now_and_then_of_what_takes_long() -> None:
    shown = Shown(io.StringIO())
    for done in range(1, 91):
        shown.now += 1.0
        shown.items(done, failed=done // 50)
    assert EVERY == 30.0
    assert shown.stream.getvalue().splitlines() == [
        "running  page  30 of 90 items",
        "running  page  60 of 90 items, 1 failed",
        "running  page  90 of 90 items, 1 failed",
    ]
    shown.progress.paged("page", {"page": 7, "items": 700})
    shown.now += EVERY
    shown.progress.paged("page", {"page": 8, "items": 800})
    assert shown.stream.getvalue().splitlines()[3:] == ["running  page  page 8, 800 items"]


def test_short_work_and_quiet_runs_say_nothing_of_it() -> None:
    short, quiet = Shown(io.StringIO()), Shown(io.StringIO(), quiet=True)
    for shown, step in ((short, 0.3), (quiet, 300.0)):
        for done in range(90):
            shown.now += step
            shown.items(done)
        assert shown.stream.getvalue() == ""


def test_a_terminal_shows_each_step_in_one_line() -> None:
    shown = Shown(Terminal())
    shown.items(1)
    shown.items(2)
    assert shown.stream.getvalue().count("\r") == 2
    assert "\n" not in shown.stream.getvalue()
    assert "page: 2 of 90 items ..." in shown.stream.getvalue()


def test_a_retry_names_its_page() -> None:
    shown = Shown(io.StringIO())
    for more in ({}, {"page": 7}):
        shown.progress.retrying("page", {"attempt": 1, "wait": 0.5, "why": "the server answered 503", **more})
    assert shown.stream.getvalue().splitlines() == [
        "retry    page  the server answered 503 (attempt 1); again in 500ms",
        "retry    page  page 7: the server answered 503 (attempt 1); again in 500ms",
    ]


def test_a_wait_says_whether_the_rate_or_the_places_are_used_up() -> None:
    shown = Shown(io.StringIO(), verbose=1)
    shown.progress.queued("page[3]", {"wait": 2.5, "connection": "pager"})
    shown.progress.queued("page[4]", {"wait": None, "connection": "pager"})
    assert shown.stream.getvalue().splitlines() == [
        "queued   page[3]  rate limit of the connection 'pager': about 2.5s",
        "queued   page[4]  as many requests as its `concurrency` permits are on their way through the connection 'pager'",
    ]
