"""The interpreter looks at no clock, no chance, no environment and no file."""

import builtins
import os
import random
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from runner.engine import Interpreter, Outcome
from runner.result import Status
from tests.interpreter.script import RUN, THREE, Script, drive, failed, interpret, ok, project_of, step
from tests.projects import planned


def test_it_reads_no_clock_no_chance_no_environment_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = {
        "inputs": {"n": {"default": 3}},
        "vars": {"v": "{{ inputs.n }}"},
        "actions": [
            step("a", **{"if": "{{ inputs.n == 3 }}"}),
            {"id": "pause", "wait": "1s"},
            step("b", on_error="continue"),
            step("c"),
        ],
        "outputs": {"x": "{{ run.id }} {{ vars.v }}"},
        "on_failure": [step("tell")],
        "finally": [step("clean")],
    }
    project = project_of(tmp_path, workflow)
    answers = {"pause": ok({"seconds": 1.0}), "b": failed(), "c": failed()}
    plan = planned(project)
    # Jinja is imported before: that reads files.
    drive(Interpreter(project, project.workflows["main"], plan, dict(RUN), Script(answers)).interpret())

    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("the interpreter must not look at this")

    class Environ:
        __getitem__ = __contains__ = __iter__ = get = keys = forbidden

    interpreter = Interpreter(project, project.workflows["main"], plan, dict(RUN), Script(answers))

    async def watched() -> Outcome:
        with monkeypatch.context() as patched:
            # `monotonic` bounds the time of a rendering and changes no result.
            for module, names in (
                (time, ("time", "time_ns", "perf_counter", "sleep", "gmtime", "strftime")),
                (random, ("random", "choice", "getrandbits")),
                (os, ("getenv", "urandom", "getpid")),
                (socket, ("socket", "getaddrinfo")),
                (builtins, ("open",)),
            ):
                for name in names:
                    patched.setattr(module, name, forbidden)
            patched.setattr(os, "environ", Environ())
            return await interpreter.interpret()

    outcome = drive(watched())
    assert outcome.status is Status.FAILED
    assert [result.key for result in outcome.results] == [
        "a",
        "pause",
        "b",
        "c",
        "on_failure/tell",
        "finally/clean",
    ]


def test_the_same_script_gives_the_same_outcome(tmp_path: Path) -> None:
    workflow = {
        "actions": THREE,
        "outputs": {"x": "{{ actions.c.output }} {{ run.id }}"},
        "finally": [step("clean")],
    }
    first, second = (interpret(tmp_path, workflow, {"b": ok([1, 2])}) for _ in range(2))
    assert first.outcome == second.outcome
    assert first.script.refs == second.script.refs
