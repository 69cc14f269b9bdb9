"""The installed `runner` as cron starts it: a subprocess with a bare environment."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RUNNER = Path(sys.executable).with_name("runner")
TOKEN = "hunter2-hunter2-hunter2"
"""What `env://API_TOKEN` gives in these tests."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Program:
    """A project in a directory, and the environment its commands get."""

    directory: Path
    environ: Mapping[str, str]

    def write(self, path: str, text: str) -> None:
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def connection(self, url: str, *, reference: str = "env://API_TOKEN", name: str = "api") -> None:
        """Write a connection with a bearer token and a test endpoint."""
        self.write(
            f"connections.d/{name}.yaml",
            f"type: bearer\nbase_url: {url}\nshared: true\nauth: {{token: '{reference}'}}\ntest: {{path: /bearer/{TOKEN}}}\n",
        )

    def workflow(self, *actions: str, more: str = "", name: str = "job") -> None:
        """Write a workflow; each action is the text of a flow mapping."""
        listed = "".join(f"  - {{{action}}}\n" for action in actions)
        self.write(f"workflows.d/{name}.yaml", f"actions:\n{listed}{more}")

    def start(
        self,
        *arguments: str,
        **environ: str,
    ) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [RUNNER, *arguments],
            cwd=self.directory,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def run(self, *arguments: str, **environ: str) -> Ended:
        with self.start(*arguments, **environ) as process:
            try:
                out, err = process.communicate(timeout=60)
            finally:
                if process.poll() is None:
                    process.kill()
        return Ended(process.returncode, out, err)

    def shell(self, line: str) -> Ended:
        """Run a line of `sh`, in which `runner` is the program."""
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self.directory,
            env={**self.environ, "PATH": f"{RUNNER.parent}:{os.defpath}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)


def free_of(secrets: Sequence[str], *texts: str) -> bool:
    """Whether no text holds a secret in any form in which it may be written."""
    from runner.sensitive import written_forms

    return not any(form in text for secret in secrets for form in written_forms(secret) for text in texts)
