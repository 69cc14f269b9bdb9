"""`runner connections login NAME`."""

import argparse
import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from runner import reports
from runner.cli import one_login
from runner.cli.output import Output
from runner.cli.person import AtTerminal, agree
from runner.errors import Exit, UsageError
from runner.reports.text.style import one_line, table
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.login import Login

EXAMPLES = (
    "runner connections login tickets",
    "runner connections login calendar --as ann",
    "pass show tickets | runner connections login tickets --from - --yes",
)
BIGGEST = 1 << 20


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    one_login.options(parser)
    parser.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        help="take the values from a file, - for standard input: a JSON object by field, or the one value as it is",
    )
    parser.add_argument(
        "--paste",
        action="store_true",
        help="paste the address that a page of consent leads to, instead of waiting for it",
    )
    parser.add_argument("--no-test", action="store_true", help="store without sending the test request first")
    parser.add_argument("--yes", action="store_true", help="do it without asking first")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Say what will happen, ask, obtain, test, store."""
    given = _read(options.source) if options.source else None
    if given is not None:
        output.redactor.add(
            given.strip(), "standard input" if options.source == "-" else "the file of values"
        )
    person = AtTerminal(settings, output, pastes=options.paste)

    async def work(login: "Login") -> int:
        return await _log_in(login, given, person, options, output)

    return one_login.carry_out(options.name, settings, output, work)


async def _log_in(
    login: "Login", given: str | None, person: AtTerminal, options: argparse.Namespace, output: Output
) -> int:
    await login.open()
    words = {login.word(name): name for name in login.taken}
    values = {} if given is None else _values(given, words, login.asked, options.source, output)
    login.take(values)
    output.error(_announced(login, tested=not options.no_test))
    one_login.warn_of_strangers(login, output)
    if not options.yes:
        agree("go on?", output)
    try:
        typed = _typed(login, values, person)
        await login.obtain({**values, **typed}, person, tested=not options.no_test)
        if not options.no_test and not await _tested(login, output):
            output.error("nothing was stored: the test failed; --no-test stores all the same")
            return int(Exit.FAILED)
    except (KeyboardInterrupt, asyncio.CancelledError):
        output.error("nothing was stored")
        raise
    async for line in login.store():
        output.error(line)
    return int(Exit.DONE)


async def _tested(login: "Login", output: Output) -> bool:
    """Send the test request and say what came of it; whether nothing speaks against storing."""
    result = await login.test()
    if result["classification"] == "no test endpoint":
        output.error(f"not tested: {login.connection.name} declares no `test`")
        return True
    output.data(reports.render("text", "connection_tests", [result], color=output.color))
    return bool(result["classification"] == "ok")


def _announced(login: "Login", *, tested: bool) -> str:
    """Say what will happen, before it does."""
    connection = login.connection
    rows = []
    if login.consented:
        rows.append(["consent", f"by {connection.auth.grant}, for {', '.join(sorted(login.consented))}"])
    if login.asked:
        rows.append(["values", ", ".join(f"auth.{login.word(name)}" for name in login.asked)])
    if tested and connection.test is not None:
        rows.append(["test", f"{connection.test.method} {connection.test.path.text} at {login.host}"])
    for place in login.written:
        what = f"replaces version {place.version}" if place.version else "new"
        kept = f"; {', '.join(place.others)} there stay as they are" if place.others else ""
        fields = ", ".join(sorted(ref.field for ref in place.wanted.values()))
        rows.append(["store", f"{place.store.label}: {fields} ({what}{kept})"])
    again = "log in again" if any(place.present for place in login.written) else "log in"
    lines = [f"{again}: {connection.name} ({connection.type})"]
    return "\n".join(
        [*lines, *(f"  {line}" for line in table([[one_line(cell) for cell in row] for row in rows]))]
    )


def _typed(login: "Login", values: dict[str, str], person: AtTerminal) -> dict[str, str]:
    """Ask for what was not given; an empty answer keeps what is stored."""
    present = {name for place in login.places for name in place.present}
    typed = {}
    for name in login.asked:
        if name in values or (values and name in present):
            continue
        keeping = " (empty: keep what is stored)" if name in present else ""
        text = person.ask(f"auth.{login.word(name)}{keeping}", secret=True)
        if text:
            typed[name] = text
        elif name not in present:
            raise UsageError(f"auth.{login.word(name)} has no value", help="nothing was changed")
    return typed


def _read(source: str) -> str:
    import sys
    from pathlib import Path

    remedy = "a file of UTF-8 text, or - for standard input"
    try:
        if source != "-":
            with Path(source).open("rb") as file:
                raw = file.read(BIGGEST + 1)
        else:
            raw = sys.stdin.buffer.read(BIGGEST + 1) if sys.stdin is not None else b""
        text = raw.decode()
    except (OSError, UnicodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
        raise UsageError(f"--from {source}: {reason}", help=remedy) from None
    if len(raw) > BIGGEST:
        raise UsageError(f"--from {source}: over 1 MiB", help="these are credentials, and no data")
    return text


def _values(
    text: str, words: Mapping[str, str], asked: Sequence[str], source: str, output: Output
) -> dict[str, str]:
    """Read values by field from JSON, or the value of the only field as it is; `words` are the fields by their names in the file."""
    where = "standard input" if source == "-" else source
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    listed = ", ".join(words) or "none: a consent gives everything"
    if isinstance(data, dict) and set(data) <= set(words):
        for name, value in data.items():
            if not isinstance(value, str) or not value:
                what = "is empty" if value == "" else "is no text"
                raise UsageError(f"the value of '{name}' in {where} {what}", help=_example([name]))
            output.redactor.add(value, f"auth.{name}")
        return {words[name]: value for name, value in data.items()}
    if not text.strip():
        raise UsageError(f"{where} is empty: there is no value in it", help=f"asked for: {listed}")
    # One name is meant as a field; an object of more may be a key file, which is the value itself.
    named = isinstance(data, dict) and len(data) == 1
    if len(asked) == 1 and not named:
        return {asked[0]: text.removesuffix("\n").removesuffix("\r")}
    if isinstance(data, dict):
        unknown = ", ".join(sorted(one_line(str(name)) for name in set(data) - set(words)))
        raise UsageError(
            f"the values in {where} name fields that are not asked for: {unknown}",
            help=f"asked for: {listed}",
        )
    raise UsageError(
        f"what is in {where} is no JSON object", help=_example(words) if words else f"asked for: {listed}"
    )


def _example(names: Iterable[str]) -> str:
    return "give " + json.dumps(dict.fromkeys(names, "..."))
