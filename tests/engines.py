"""Runs on a real Temporal server, by workers that are processes of their own and can be killed."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from runner.backends.temporal.address import Address, parse
from runner.backends.temporal.runs import Engine, engine
from runner.plan import resolve
from runner.project import Project
from runner.result import RunResult
from runner.sensitive import Redactor
from runner.watching import Stop
from tests.projects import Ran, Watched
from tests.servers.temporal import Temporal

RUNNER = Path(sys.executable).with_name("runner")


ROOT = Path(__file__).parents[1]
PATIENCE = "2s"
"""How long a worker of a test may say nothing."""


class Worker:
    """`runner worker` as a process of its own; `dying` names a point and a step at which it kills itself."""

    def __init__(
        self, address: str, environ: Mapping[str, str], dying: tuple[str, str] | None = None
    ) -> None:
        program = [sys.executable, "-m", "tests.crashing_worker", *dying] if dying else [RUNNER]
        self.process = subprocess.Popen(
            [*program, "worker", "--engine", address, "--lost-after", PATIENCE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **environ},
        )
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        assert "takes work from" in first, first + self.process.stdout.read()
        self.said = [first]
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def kill(self) -> None:
        """End it as the kernel ends a process: at once, in the middle of what it does. It may have ended before."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._close()

    def stop(self) -> int:
        """End it as systemd does; gives its exit code."""
        self.process.terminate()
        code = self.process.wait(90)
        self._close()
        return code

    def _close(self) -> None:
        assert self.process.stdout is not None
        self._reading.join(10)
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.said += self.process.stdout


class Cluster:
    """A server, a task queue of one test's own, and its workers; everything is ended at the end."""

    def __init__(self, server: Temporal, environ: Mapping[str, str] | None = None) -> None:
        self.port = server.port
        self.queue = f"test-{uuid4().hex[:8]}"
        self.environ = dict(environ or {})
        self.workers: list[Worker] = []
        self.last = ""

    @property
    def url(self) -> str:
        return f"temporal://127.0.0.1:{self.port}/default?task_queue={self.queue}"

    @property
    def address(self) -> Address:
        return parse(self.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()

    def worker(self, dying: tuple[str, str] | None = None) -> Worker:
        made = Worker(self.url, self.environ, dying)
        self.workers.append(made)
        return made

    def ask(self, question: Callable[[Engine], Awaitable[Any]]) -> Any:
        """Ask the engine something, as a command does."""

        async def asking() -> Any:
            async with engine(self.address, self.environ, Redactor()) as found:
                return await question(found)

        return asyncio.run(asking())

    def submit(self, project: Project, name: str = "main", *, timeout: float = 120.0) -> str:
        run_id = f"run-{uuid4().hex[:12]}"
        plan = resolve(project, name, inputs={}, user=None)
        self.ask(lambda found: found.submit(project, plan, run_id, timeout))
        return run_id

    def follow(self, run_id: str, *, round_: int = 1, seen: Watched | None = None) -> RunResult:
        result: RunResult = self.ask(
            lambda found: asyncio.wait_for(
                found.follow(run_id, seen or Watched(), Stop(), round_=round_), timeout=100
            )
        )
        return result

    def run(self, project: Project, name: str = "main", **options: Any) -> RunResult:
        return self.follow(self.submit(project, name, **options))

    def ran(self, project: Project, *, timeout: float = 120.0) -> Ran:
        """Run as `tests.projects.run` does, and remember the run for `again`."""
        self.last = self.submit(project, timeout=timeout)
        watched = Watched()
        return Ran(self.follow(self.last, seen=watched), watched, Redactor())

    def again(self, project: Project) -> Ran:
        """Go on with the last run."""
        del project
        return Ran(self.resume(self.last), Watched(), Redactor())

    def resume(self, run_id: str) -> RunResult:
        round_ = self.ask(lambda found: found.resume(run_id))
        return self.follow(run_id, round_=round_)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is so; fails where it does not become so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
