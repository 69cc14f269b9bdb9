"""The streams: cleaned, harmless, and honest about what could not be written."""

import io
import subprocess
import sys

import pytest

from runner.cli.output import Output
from runner.settings import Settings
from tests.cli.terminal import Terminal


class Full(io.StringIO):
    """A stream on a full disk."""

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


class Gone(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def streams(**settings: object) -> tuple[Output, io.StringIO, io.StringIO]:
    out, err = Terminal(), Terminal()
    output = Output(out, err)
    output.use(Settings(**({"environ": {"TERM": "xterm"}} | settings)))  # type: ignore[arg-type]
    return output, out, err


def test_known_secrets_are_removed_from_both_streams() -> None:
    output, out, err = streams()
    output.redactor.add("hunter2hunter2", "secret/app#a")
    output.data("data hunter2hunter2\n")
    output.say("said aHVudGVyMmh1bnRlcjI=")
    output.error("error hunter2hunter2")
    output.progress("hunter2hunter2")
    assert "hunter2" not in out.getvalue() + err.getvalue()
    assert out.getvalue() == "data ***\n"
    assert err.getvalue().startswith("said ***")


def test_what_a_terminal_acts_on_is_written_out() -> None:
    output, out, _ = streams(color="always")
    output.data("\x1b[2J\x1b[31m\x9bx \u202ey\tz\r\n\x1b[1;31mours\x1b[0m\n")
    assert out.getvalue() == ("\\x1b[2J\\x1b[31m\\x9bx \\u202ey\tz\\x0d\n\x1b[1;31mours\x1b[0m\n")


def test_without_colour_no_escape_passes() -> None:
    output, out, _ = streams(color="never")
    output.data("\x1b[1;31mx\x1b[0m\n")
    assert out.getvalue() == "\\x1b[1;31mx\\x1b[0m\n"


def test_quiet_leaves_errors_and_data() -> None:
    output, out, err = streams(quiet=True)
    output.say("said")
    output.progress("going on")
    output.error("error")
    output.data("data\n")
    assert (out.getvalue(), err.getvalue()) == ("data\n", "error\n")


def test_details_are_for_those_who_ask() -> None:
    for verbose, expected in ((0, ""), (1, "detail\n")):
        output, _, err = streams(verbose=verbose)
        output.detail("detail")
        assert err.getvalue() == expected


def test_progress_rewrites_its_line_on_terminals_only() -> None:
    output, _, err = streams()
    output.progress("one\ntwo")
    output.error("done")
    assert err.getvalue() == "\r\x1b[Kone\\ntwo\r\x1b[Kdone\n"
    plain = io.StringIO()
    piped = Output(io.StringIO(), plain)
    piped.use(Settings(environ={"TERM": "xterm"}))
    piped.progress("one")
    assert plain.getvalue() == ""
    for environ in ({"TERM": "xterm", "CI": "true"}, {"TERM": "dumb"}, {}):
        output, _, err = streams(environ=environ)
        output.progress("one")
        assert err.getvalue() == ""


@pytest.mark.parametrize(("code", "expected"), [(0, 1), (5, 5)])
def test_data_that_was_lost_is_a_failure_unless_there_is_a_worse_one(code: int, expected: int) -> None:
    err = io.StringIO()
    output = Output(Full(), err)
    output.data("data\n")
    assert output.finish(code) == expected
    assert err.getvalue() == "error: stdout could not be written: No space left on device\n"


def test_a_reader_that_went_away_is_no_failure() -> None:
    err = io.StringIO()
    output = Output(Gone(), err)
    output.data("data\n")
    output.data("more\n")
    assert output.finish(0) == 0
    assert output.finish(3) == 3
    assert err.getvalue() == ""


def test_a_stderr_that_is_gone_does_not_stop_the_data() -> None:
    out = io.StringIO()
    output = Output(out, Gone())
    output.error("nobody reads this")
    output.data("data\n")
    assert out.getvalue() == "data\n"
    assert output.finish(0) == 0


def test_what_an_encoding_lacks_is_escaped_as_json_does_it() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    output = Output(stream, io.StringIO())
    output.data('"é ‹x› 😀"\n')
    assert raw.getvalue() == b'"\\u00e9 \\u2039x\\u203a \\ud83d\\ude00"\n'


def test_github_masks_each_line_of_a_secret() -> None:
    output, _, err = streams()
    output.redactor.watch(output.mask)
    output.redactor.add("first 100%\nsecond line", "secret/app#key")
    assert err.getvalue() == "::add-mask::first 100%25\n::add-mask::second line\n"


def test_no_color_and_flags() -> None:
    xterm = {"TERM": "xterm"}
    assert Settings(environ=xterm).colored(terminal=True)
    assert not Settings(environ=xterm).colored(terminal=False)
    assert not Settings(environ={**xterm, "NO_COLOR": "1"}).colored(terminal=True)
    assert Settings(environ={**xterm, "NO_COLOR": ""}).colored(terminal=True)
    assert not Settings(environ={"TERM": "dumb"}).colored(terminal=True)
    assert Settings(environ={"NO_COLOR": "1"}, color="always").colored(terminal=False)
    assert not Settings(environ=xterm, color="never").colored(terminal=True)


def test_closed_descriptors_are_not_taken_by_the_next_file() -> None:
    # In a child: pytest needs its own.
    script = (
        "import os, sys\nos.close(1)\nfrom runner.cli import main\n"
        "code = main(['version'])\n"
        "sys.stderr.write(str(os.fstat(1).st_rdev == os.stat(os.devnull).st_rdev))\nos._exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.endswith("True")
