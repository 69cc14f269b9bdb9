"""The main job on real servers: `make demo`.

Starts OpenBao in memory and a support desk, stores two secrets, and runs the repository's own connections and
workflows against them. At the end it says what reached the servers and searches everything that was printed or
written for the secrets. Nothing it started outlives it, also after Ctrl-C.
"""

import argparse
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import yaml

from runner.sensitive import written_forms
from tests.servers.http import Server
from tests.servers.openbao import OpenBao
from tests.servers.tickets import SupportDesk

ROOT = Path(__file__).parents[1]
PROGRAM = Path(sys.executable).parent / "runner"
PATIENCE = 10.0
"""Seconds that an interrupted command gets for its own end."""
POLICY = 'path "secret/data/demo/*" { capabilities = ["read"] }'
COMMANDS = (
    ("validate",),
    ("connections", "test", "--all"),
    ("plan", "escalate"),
    (
        "run",
        "escalate",
        "-i",
        "days=14",
        "--report",
        "json=reports/run.json",
        "--report",
        "junit=reports/run.xml",
    ),
)


def store_secrets(vault: OpenBao, token: str, key: str) -> str:
    """Write the secrets and give a token that may read them and nothing else."""
    vault.ask("POST", "secret/data/demo/tickets", {"data": {"api_token": token}})
    vault.ask("POST", "secret/data/demo/pager", {"data": {"api_key": key}})
    vault.ask("PUT", "sys/policies/acl/demo", {"policy": POLICY})
    made = vault.ask("POST", "auth/token/create", {"policies": ["demo"], "ttl": "10m"})
    reader: str = made["auth"]["client_token"]
    return reader


def copy_project(project: Path, addresses: Mapping[str, str]) -> None:
    """Copy the repository's own project and put the real addresses into its runner.yaml."""
    shutil.rmtree(project, ignore_errors=True)
    (project / "reports").mkdir(parents=True)
    for folder in ("connections.d", "workflows.d"):
        shutil.copytree(ROOT / folder, project / folder)
    settings = yaml.safe_load((ROOT / "runner.yaml").read_text(encoding="utf-8"))
    settings["vars"] |= {f"{name}_url": address for name, address in addresses.items()}
    (project / "runner.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


class StoppedError(BaseException):
    """SIGINT or SIGTERM arrived. No `Exception`, so that nothing on the way swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """Turns SIGINT and SIGTERM into StoppedError, but not while something is being started or stopped."""

    def __init__(self) -> None:
        self._deferring = False
        self._arrived: int | None = None

    def install(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._arrive)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let what is inside finish: a server that is half started has no owner who could stop it."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
            if self._arrived is not None:
                raise StoppedError(self._arrived)

    def ignore(self) -> None:
        """From now on only the end is left to do."""
        self._deferring = True

    def _arrive(self, number: int, _: FrameType | None) -> None:
        first, self._arrived = self._arrived is None, number
        if first and not self._deferring:
            raise StoppedError(number)


class Demo:
    """One demo: the servers, the project's copy, and all that was printed."""

    def __init__(self, directory: Path, signals: Signals) -> None:
        self._project = directory / "project"
        self._signals = signals
        self._printed: list[str] = []
        self.failed: list[str] = []
        self._token = f"tkt_{secrets.token_urlsafe(24)}"
        self._key = secrets.token_urlsafe(18)

    def run(self, stack: ExitStack) -> bool:
        """Do all of it; whether everything was as it should be."""
        started = time.monotonic()
        self.say("== starting OpenBao, a ticket system and a pager on loopback")
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="runner-demo-"))
        with self._signals.deferred():
            vault = stack.enter_context(OpenBao.development(Path(home), root_token=secrets.token_urlsafe(24)))
            desk = stack.enter_context(SupportDesk(self._token, self._key))
        self.say("== storing secret/demo/tickets and secret/demo/pager")
        reader = store_secrets(vault, self._token, self._key)
        copy_project(self._project, desk.addresses)
        self.say(f"== the project: {_shown(self._project)}, a copy of this repository's own")
        environ = {"PATH": os.defpath, "HOME": home, "VAULT_ADDR": vault.address, "VAULT_TOKEN": reader}
        for command in COMMANDS:
            self._show(command, environ)
        self.say("\n== what happened")
        self._say_traffic("tickets", desk.tickets_server)
        self._say_traffic("pager", desk.pager_server)
        self._check_desk(desk)
        self.check_secrets([self._token, self._key, reader, vault.root_token])
        reports = _shown(self._project / "reports")
        self.say(f"reports: {reports}/run.json and {reports}/run.xml")
        self.say(f"the demo took {time.monotonic() - started:.0f} s")
        for failure in self.failed:
            self.say(f"FAILED: {failure}")
        return not self.failed

    def _show(self, arguments: Sequence[str], environ: dict[str, str]) -> None:
        """Run one command and show it with all that it prints."""
        line = shlex.join(["runner", *arguments])
        self.say(f"\n$ {line}")
        color = ["--color", "always"] if sys.stdout.isatty() and "NO_COLOR" not in os.environ else []
        process: subprocess.Popen[str] | None = None
        try:
            with self._signals.deferred():
                process = subprocess.Popen(
                    [PROGRAM, *color, *arguments],
                    cwd=self._project,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    encoding="utf-8",
                )
            for output in process.stdout or ():
                self.say(output.rstrip("\n"))
            code = process.wait()
        except BaseException as problem:
            self._signals.ignore()
            if process is not None:
                # Ctrl-C has reached the command as well; SIGTERM, or a closed pipe, came to us alone.
                interrupted = isinstance(problem, StoppedError) and problem.number == signal.SIGINT
                print(_ended(process, at_once=not interrupted), end="", flush=True)
            raise
        if code != 0:
            self.failed.append(f"`{line}` ended with {code}")

    def _say_traffic(self, name: str, server: Server) -> None:
        lines: dict[str, list[str]] = {}
        for request, status in server.exchanges:
            lines.setdefault(f"{request.method:<5}{request.path}", []).append(str(status))
        for line, statuses in lines.items():
            counts = ", ".join(f"{count} x {status}" for status, count in Counter(statuses).items())
            self.say(f"{name:<8} {line:<36} {counts}")

    def _check_desk(self, desk: SupportDesk) -> None:
        """Compare what the servers hold now with what the workflow promises."""
        self._expect(
            "the first ticket found has an incident, and no other", list(desk.pager.incidents) == [1412]
        )
        self._expect("its priority is urgent now", desk.tickets.ticket(1412)["priority"] == "urgent")
        self._expect("`finally` wrote one line into the audit log", len(desk.tickets.audit) == 1)
        searches = [
            status for request, status in desk.tickets_server.exchanges if request.path.endswith("/search")
        ]
        self._expect("the search waited for Retry-After and was sent again", searches == [429, 200])
        watched = desk.tickets_server.count("POST", "/api/v2/tickets/*/watchers")
        self._expect("the 200 that is an error was seen as one, and not repeated", watched == 1)
        for name in ("run.json", "run.xml"):
            self._expect(f"reports/{name} is there", (self._project / "reports" / name).is_file())
        report = self._project / "reports" / "run.json"
        if report.is_file():
            json.loads(report.read_text(encoding="utf-8"))

    def check_secrets(self, values: Sequence[str]) -> None:
        """Search everything that was printed or written, for every form in which a secret may be written down."""
        texts = ["\n".join(self._printed)]
        files = [path for path in self._project.rglob("*") if path.is_file()]
        texts += [path.read_bytes().decode("utf-8", "backslashreplace") for path in files]
        forms = {form for value in values for form in written_forms(value)}
        leaks = sum(form in text for form in forms for text in texts)
        what = f"no secret in what was printed nor in {len(files)} files ({len(forms)} forms searched for)"
        self._expect(what, leaks == 0)

    def _expect(self, what: str, right: bool) -> None:
        self.say(f"{'ok' if right else 'NOT SO':<8} {what}")
        if not right:
            self.failed.append(f"not so: {what}")

    def say(self, line: str) -> None:
        self._printed.append(line)
        print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when all of it went well."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description="The main job on real servers.")
    parser.add_argument(
        "--directory", type=Path, default=ROOT / "build" / "demo", help="for the project and reports"
    )
    options = parser.parse_args(arguments)
    signals = Signals()
    signals.install()
    try:
        with ExitStack() as stack:
            try:
                right = Demo(options.directory.resolve(), signals).run(stack)
            finally:
                signals.ignore()
    except StoppedError as stopped:
        print("the demo was stopped; nothing of it is left running", flush=True)
        return 128 + stopped.number
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return 0 if right else 1


def _shown(path: Path) -> Path:
    """Give the path as one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _ended(process: subprocess.Popen[str], *, at_once: bool) -> str:
    """Wait for the end of a command, insisting more and more; give what it still printed."""
    steps = (process.terminate, process.kill) if at_once else (lambda: None, process.terminate, process.kill)
    for insist in steps:
        insist()
        try:
            return process.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            continue
    return ""


if __name__ == "__main__":
    sys.exit(main())
