"""`runner version`: what a bug report needs. Imports nothing of what it names, so that it works when they do not."""

import argparse
import os
import re
import sys
from collections.abc import Sequence

from runner import __version__
from runner.cli.arguments import add_format
from runner.cli.output import Output
from runner.settings import Settings
from runner.transport_choice import CHOICE, ORDER, in_use

EXAMPLES = ("runner version", "runner version --format json")

LIBRARIES = ("httptools", "httpx", "hvac", "jinja2", "jsonschema", "pyyaml")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_format(parser, "text", "json")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Print the versions, and by what requests are sent."""
    found = installed(LIBRARIES, sys.path)
    libyaml = _has_libyaml(sys.path)
    transport = in_use(settings.environ, {name for name, version in found.items() if version})
    python = sys.version.partition(" ")[0]
    system = _system()
    if options.format == "json":
        import json

        data = {
            "format": "runner.d/version/1",
            "runner.d": __version__,
            "python": python,
            "implementation": sys.implementation.name,
            "platform": system,
            "libraries": found,
            "libyaml": libyaml,
            "transport": transport,
        }
        output.data(json.dumps(data, indent=2) + "\n")
        return 0
    lines = [
        f"runner.d {__version__}",
        f"Python {python} ({sys.implementation.name})",
        system,
        *(f"{name} {version or 'is not installed'}" for name, version in found.items()),
    ]
    lines[-1] += " with libyaml" if libyaml else " without libyaml (reading files is slower)"
    lines.append(
        f"requests go by {transport}" if transport else f"{CHOICE} names no transport: {' or '.join(ORDER)}"
    )
    output.data("\n".join(lines) + "\n")
    return 0


def installed(names: Sequence[str], paths: Sequence[str]) -> dict[str, str | None]:
    """Find versions by the names of the directories that installers leave; `importlib.metadata` costs 30 ms more."""
    pattern = re.compile(rf"({'|'.join(names)})-([^-]+)\.(?:dist|egg)-info", re.IGNORECASE)
    found: dict[str, str | None] = dict.fromkeys(names)
    for path in paths:
        for entry in _entries(path):
            match = pattern.fullmatch(entry)
            if match and found[match[1].lower()] is None:
                found[match[1].lower()] = match[2]
    return found


def _system() -> str:
    """Name the operating system; `platform` would import `subprocess` for it."""
    names = os.uname()
    try:
        library = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):  # another C library
        library = ""
    return " ".join(filter(None, (names.sysname, names.release, names.machine, library)))


def _has_libyaml(paths: Sequence[str]) -> bool:
    for path in paths:
        entries = _entries(f"{path or '.'}/yaml")
        if "__init__.py" in entries:
            return any(entry.startswith("_yaml.") for entry in entries)
    return False


def _entries(path: str) -> list[str]:
    try:
        return os.listdir(path or ".")  # noqa: PTH208 - pathlib costs more than all the rest of this
    except OSError:
        return []
