"""The person at the terminal: asked once, heard right, and let go by Ctrl-C."""

import asyncio
import io
import signal

import pytest

from runner.cli.output import Output
from runner.cli.person import DeclinedError, agree, confirm
from runner.errors import Exit, UsageError
from tests.cli.terminal import Terminal


@pytest.mark.parametrize("typed", ["y\n", "Y\n", " yes \n", "y"])
def test_a_yes_is_a_yes(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    err = io.StringIO()
    agree("go on?", Output(stderr=err))
    assert err.getvalue().rstrip("\n") == "go on? [y/N] "


@pytest.mark.parametrize("typed", ["\n", "n\n", "yess\n", ""])
def test_all_else_is_a_no(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    err = io.StringIO()
    with pytest.raises(DeclinedError) as no:
        agree("go on?", Output(stderr=err))
    assert (no.value.exit_code, no.value.message) == (Exit.FAILED, "nothing was done")
    end_of_line = "" if typed else "\n"  # that of the answer is the terminal's own
    assert err.getvalue() == f"go on? [y/N] {end_of_line}"


@pytest.mark.parametrize("stdin", [None, io.StringIO("y\n")])
def test_who_is_not_at_a_terminal_is_not_asked(
    stdin: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    err = io.StringIO()
    with pytest.raises(UsageError) as problem:
        confirm(["delete it"], Output(stderr=err), yes=False)
    assert problem.value.help == "--yes does it without asking"
    assert err.getvalue() == "- delete it\n"
    confirm(["delete it"], Output(stderr=err), yes=True)


class Interrupted(Terminal):
    """Somebody who types Ctrl-C; a read goes on after a signal that is only noted."""

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]  # as of typeshed
        signal.raise_signal(signal.SIGINT)
        return "y\n"


def test_ctrl_c_ends_the_question_also_inside_of_an_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Interrupted())
    done = []

    async def asking() -> None:
        agree("go on?", Output(stderr=io.StringIO()))
        done.append("it")

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(asking())
    assert not done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
