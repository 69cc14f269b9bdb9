"""The canary suite from outside: the installed `runner`, at every verbosity, and when it has a bug."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.canary import AWKWARD, Search
from tests.canary_places import PLACES, environ, files, server, values, variable
from tests.projects import make
from tests.servers.http import Server, reply

RUNNER = Path(sys.executable).with_name("runner")
NAMES = ("plain", "quotes", "html", "pem", "unicode", "short")
"""Each takes another way through the escaping of reports and streams; `test_canary` has them all."""
LEVELS: Sequence[tuple[str, ...]] = (("-q",), (), ("-v",), ("-vv",))


@pytest.fixture(scope="module")
def other() -> Iterator[Server]:
    with Server({"* /**": lambda _: reply({"fine": True})}) as running:
        yield running


@pytest.fixture(scope="module")
def api(other: Server) -> Iterator[Server]:
    with server(other) as running:
        yield running


@dataclass(frozen=True)
class Everything:
    """A project with every secret in every place, one workflow for each place."""

    root: Path
    environ: Mapping[str, str]
    search: Search

    def run(self, *arguments: str, program: Sequence[str | Path] = (RUNNER,)) -> tuple[int, str]:
        """Run a command; gives its exit code and all it wrote: both streams and every file."""
        before = set(self.root.rglob("*"))
        done = subprocess.run(
            [*program, *arguments],
            cwd=self.root,
            env={"PATH": os.defpath, **self.environ},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=100,
            check=False,
        )
        written = b"".join(path.read_bytes() for path in set(self.root.rglob("*")) - before if path.is_file())
        everything = done.stdout + done.stderr + written
        assert self.search.leaks(everything) == [], arguments
        return done.returncode, everything.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def everything(api: Server, tmp_path_factory: pytest.TempPathFactory) -> Everything:
    root = tmp_path_factory.mktemp("everything")
    project: dict[str, Any] = {}
    for place in PLACES:
        made = files(place, api.url, names=NAMES)
        made[f"workflows.d/{place}.yaml"] = made.pop("workflows.d/main.yaml")
        project |= made
    make(root, project)
    variables = {name: text for place in PLACES for name, text in environ(place).items()}
    return Everything(root, variables, Search(text for place in PLACES for text in values(place).values()))


@pytest.mark.parametrize(
    ("place", "level"),
    [
        *(("bearer", level) for level in LEVELS),
        *((place, ("-vv",)) for place in ("basic", "key_query", "own_header", "url", "input", "output")),
        *((place, ()) for place in ("key_cookie", "header", "json", "path", "output_header")),
    ],
    ids=str,
)
def test_runs(place: str, level: tuple[str, ...], everything: Everything) -> None:
    name = "-".join(("report", place, *level))
    wanted = [f"--report={form}={name}.{form}" for form in ("json", "junit", "text")]
    code, shown = everything.run("run", place, *level, *wanted)
    assert code == 0, shown[-2000:]
    assert "***" in shown
    assert (everything.root / f"{name}.json").is_file()


@pytest.mark.parametrize("place", ["bearer", "key_query", "own_query", "url", "input", "output"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_plans(place: str, form: str, everything: Everything) -> None:
    code, shown = everything.run("plan", place, "--format", form, "-v")
    assert code == 0
    assert "‹secret " in shown


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: "".join(level) or "default")
def test_tests_of_connections(level: tuple[str, ...], everything: Everything) -> None:
    form = "json" if level == ("-vv",) else "text"
    code, shown = everything.run("connections", "test", "--all", "--format", form, *level)
    # Secrets that no header can carry are not sent; everything else is answered with an error that echoes all.
    assert code in (1, 4)
    assert "503" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate", "-vv"),
        ("validate", "--format", "json"),
        ("connections",),
        ("connections", "show", variable("bearer", "plain")),
        ("connections", "show", variable("basic", "plain"), "--format", "json"),
        ("workflows", "show", "bearer"),
        ("version",),
    ],
    ids="-".join,
)
def test_other_commands(arguments: tuple[str, ...], everything: Everything) -> None:
    code, _ = everything.run(*arguments)
    assert code == 0


def test_secret_inputs_are_refused_on_the_command_line_and_not_repeated(everything: Everything) -> None:
    name = variable("input", "plain")
    code, shown = everything.run("run", "input", "-i", f"{name}={values('input')['plain']}")
    assert code == 2
    assert f"RUNNER_INPUT_{name.upper()}" in shown


def test_a_project_whose_secrets_are_not_there_prints_none_of_the_others(everything: Everything) -> None:
    missing = variable("bearer", "plain")
    rest = {name: text for name, text in everything.environ.items() if name != missing}
    fewer = Everything(everything.root, rest, everything.search)
    code, shown = fewer.run("run", "bearer", "-vv", "--report", "json=missing.json")
    assert code == 4
    assert missing in shown


# --- bugs: an exception that holds every secret, at the worst moment

BUG = """
import sys
from runner import answer, cli
def judge(action, connection, response, performance):
    request = performance.session
    held = [secret.reveal() for secret in request._values.values()]
    raise RuntimeError(f"a bug with {held!r} and {response.text}")
answer.judge = judge
sys.exit(cli.main(sys.argv[1:]))
"""
WARNING = """
import logging, sys, threading, warnings
from runner import answer, cli
def judge(action, connection, response, performance):
    held = [secret.reveal() for secret in performance.session._values.values()]
    logging.getLogger("a.library").error("sending %s", held)
    logging.getLogger("a.library").debug("sending %r", held, exc_info=ValueError(held))
    warnings.warn(f"deprecated: {held}")
    def die():
        raise ValueError(held)
    thread = threading.Thread(target=die)
    thread.start()
    thread.join()
answer.judge = judge
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: "".join(level) or "default")
@pytest.mark.parametrize("place", ["bearer", "own_query"])
def test_bugs(place: str, level: tuple[str, ...], everything: Everything) -> None:
    code, shown = everything.run("run", place, *level, program=(sys.executable, "-c", BUG))
    assert code == 70
    assert "a bug in runner.d: RuntimeError" in shown
    assert ("Traceback" in shown) == (level == ("-vv",))
    if level == ("-vv",):
        assert "***" in shown


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: "".join(level) or "default")
def test_logs_warnings_and_dying_threads(level: tuple[str, ...], everything: Everything) -> None:
    _, shown = everything.run(
        "run", "bearer", *level, program=(sys.executable, "-W", "always", "-c", WARNING)
    )
    if level != ("-q",):
        assert "sending" in shown


def test_a_leak_planted_in_the_program_is_found(everything: Everything) -> None:
    """Past the cleaned streams, straight to the terminal."""
    planted = BUG.replace(
        "raise RuntimeError(", "import os; os.write(2, str(held).encode()); raise RuntimeError("
    )
    with pytest.raises(AssertionError):
        everything.run("run", "bearer", program=(sys.executable, "-c", planted))


def test_every_place_and_every_secret_is_there(everything: Everything) -> None:
    assert len(everything.environ) == len(PLACES) * len(AWKWARD)
    assert {f"{place}.yaml" for place in PLACES} == {
        file.name for file in everything.root.glob("workflows.d/*")
    }
