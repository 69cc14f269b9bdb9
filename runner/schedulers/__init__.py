"""Schedulers that people have, one file each: what starts the workflows of a project at the times of their triggers.

A scheduler's file holds `SUMMARY` and `export(entries, place)`, which gives the text of each file that it takes, by
name. What it cannot do as a trigger says stands in a comment beside the entry.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from runner import exact_json
from runner.cron import Cron
from runner.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One trigger of one workflow. `name` is unique and fits into names of files; `catch_up` is in seconds."""

    name: str
    workflow: str
    cron: Cron
    timezone: str
    overlap: str
    catch_up: float
    environment: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    description: str | None = None

    def arguments(self) -> tuple[str, ...]:
        """Give the words that follow `runner` on a command line."""
        words = ["run", self.workflow]
        if self.environment:
            words += ["--env", self.environment]
        for name, value in self.inputs.items():
            text = value if isinstance(value, str) else exact_json.dumps(value)
            words += ["-i", f"{name}={text}"]
        return tuple(words)

    def command(self, program: str) -> str:
        """Write the command for a shell."""
        return shlex.join((program, *self.arguments()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the runs happen: program, project's directory, container image if one is named, what pip installs."""

    program: str
    directory: str
    image: str | None
    package: str


def one_line(text: str) -> str:
    """Keep text from a file inside a comment: no line break, nothing that is not printed."""
    return "".join(char if char.isprintable() else " " for char in text)


def scalar(value: str) -> str:
    """Write text as a scalar of YAML: JSON's strings are YAML's double-quoted ones."""
    return json.dumps(value, ensure_ascii=False)
