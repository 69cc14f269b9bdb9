"""The command line: finds the command that is meant and loads that one alone.

A command is one file of this package with `EXAMPLES`, `options(parser)` and `run(options, settings, output)`, which
gives the exit code. Its name, with spaces and dashes as underscores, is the name of the file.
"""

import gc
import importlib
import os
import sys
from collections.abc import Sequence

from runner.cli.output import Output

COMMANDS = {
    "init": "write a project to begin with: a connection, a workflow, CI examples",
    "validate": "check everything, without Vault and without network",
    "plan": "show the requests that a run would send",
    "diff": "show what a change means: new hosts, secrets and writes first",
    "run": "check, then run a workflow",
    "runs": "list the runs: the history",
    "runs show": "show one run: what it was given, and what happened in it",
    "runs resume": "go on with a run that failed, was stopped or killed",
    "runs cancel": "stop a run in order",
    "runs delete": "delete runs from the history",
    "runs prune": "delete runs that are older than is kept",
    "workflows": "list the workflows",
    "workflows show": "show one workflow: inputs, connections, actions",
    "connections": "list the connections",
    "connections show": "show one connection: where it goes, which secrets, who uses it",
    "connections test": "send the test requests and say what is wrong",
    "connections clone": "write a connection that extends another one",
    "connections delete": "delete a connection that nothing uses",
    "connections login": "store credentials in Vault: typed in, or by a person's consent; tested first",
    "connections logout": "end credentials: revoked at the provider where it can be, deleted in Vault",
    "worker": "perform runs and steps for a Temporal server, beside other workers",
    "schedules": "list the triggers of the workflows",
    "schedules apply": "make the triggers schedules of a Temporal server",
    "schedules export": "write the triggers for cron, systemd, GitHub, GitLab or Kubernetes",
    "vault-policy": "print the least Vault policy for what the files name",
    "types": "list the connection types: presets and auth types, with their fields",
    "explain": "say what a rule means, with a bad and a good example",
    "schema": "print the JSON Schema of connections, workflows, runner.yaml or users.yaml",
    "version": "print the versions that matter for a bug report",
}

_VALUED = frozenset(
    {"-C", "--project", "--color", "--format", "--env", "--as", "-i", "--input", "--input-file", "--report",
     "--base-url", "--changed", "--rule", "--fail-on", "--from", "--timeout", "--output", "--program", "--directory", "--image", "--package",
     "--state", "--workflow", "--status", "--since", "--limit", "--keep",
     "--engine", "--steps", "--lost-after", "--name"}
)  # fmt: skip
"""Options whose value is the next word, so that it is not taken for a command."""


_BEFORE_A_PASS = 20_000
"""New objects before the collector looks for garbage in cycles. By default 700: a pass in every module, and none finds any."""


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived where there is something to put away first."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and give its exit code; as the whole of a process, without `arguments`, end it with that code."""
    gc.set_threshold(_BEFORE_A_PASS)
    _open_standard_streams()
    output = Output()
    try:
        code = _dispatch(list(sys.argv[1:] if arguments is None else arguments), output)
    except KeyboardInterrupt as stop:
        terminated = isinstance(stop, Terminated)
        output.error("terminated" if terminated else "interrupted")
        code = 143 if terminated else 130
    except Exception as problem:  # whatever it is, it gets one clear message and its exit code
        from runner.cli.problems import explain

        code = explain(problem, output)
    code = output.finish(code)
    if arguments is None and sys.gettrace() is None and sys.getprofile() is None:
        # All is written and closed. To take Python down would cost a short command a sixth of its time, and aborts where
        # threads of a library (Temporal's) call into it until the last moment.
        os._exit(code)
    return code


def _dispatch(arguments: list[str], output: Output) -> int:
    name, rest = split(arguments)
    if name is None:
        return _without_command(rest, output)
    from runner import settings
    from runner.cli.arguments import HelpWanted, parser

    command = importlib.import_module(f"runner.cli.{name.replace(' ', '_').replace('-', '_')}")
    reader = parser(f"runner {name}", COMMANDS[name], command.EXAMPLES)
    command.options(reader)
    try:
        options = reader.read(rest)
    except HelpWanted as wanted:
        output.data(wanted.text)
        return 0
    chosen = settings.read(options)
    output.use(chosen)
    code: int = command.run(options, chosen, output)
    return code


def split(arguments: list[str]) -> tuple[str | None, list[str]]:
    """Take the command's words out of the arguments; what remains may stand on either side of them."""
    place = _next_word(arguments, 0)
    if place is None:
        return None, arguments
    first = arguments[place]
    rest = arguments[:place] + arguments[place + 1 :]
    if first == "help":
        name, rest = split(rest)
        return name, [*rest, "--help"]
    children = [name.partition(" ")[2] for name in COMMANDS if name.startswith(f"{first} ")]
    second = _next_word(rest, place) if children else None
    if second is not None:
        if rest[second] not in children:
            raise _unknown(f"{first} {rest[second]}")
        return f"{first} {rest[second]}", rest[:second] + rest[second + 1 :]
    if first not in COMMANDS:
        raise _unknown(first)
    return first, rest


def _next_word(arguments: list[str], start: int) -> int | None:
    index = start
    while index < len(arguments) and arguments[index] != "--":
        if not arguments[index].startswith("-") or arguments[index] == "-":
            return index
        index += 2 if arguments[index] in _VALUED else 1
    return None


def _unknown(name: str) -> Exception:
    from runner.diagnostics import closest
    from runner.errors import UsageError

    near = closest(name, COMMANDS)
    remedy = f"did you mean '{near}'?" if near else "`runner --help` lists the commands"
    return UsageError(f"unknown command '{name}'", help=remedy)


def _without_command(arguments: list[str], output: Output) -> int:
    if "--version" in arguments:
        return _dispatch(["version", *(item for item in arguments if item != "--version")], output)
    if "-h" in arguments or "--help" in arguments:
        output.data(_help())
        return 0
    from runner.cli.arguments import parser

    parser("runner", "", ()).read(arguments)  # an unknown option is the clearer complaint
    output.error(_help().rstrip())
    return 2


def _help() -> str:
    width = max(map(len, COMMANDS)) + 2
    commands = "\n".join(f"  {name:<{width}}{summary}" for name, summary in COMMANDS.items())
    return f"""usage: runner [-C DIR] [-q] [-v] [--color WHEN] COMMAND ...

API workflows as reviewed files.

commands:
{commands}

options, before or after the command:
  -C, --project DIR   the project's directory (default: found upwards from here)
  -q, --quiet         only data and errors
  -v, --verbose       say more; twice for even more
  --color WHEN        auto, always or never
  -h, --help          show this; after a command: its options and examples

example:
  runner validate && runner run escalate -i days=14
"""


def _open_standard_streams() -> None:
    """Put the null device where a standard stream is closed: the next file or socket would take its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
