"""`runner explain [RULE]`."""

import argparse
import re
from typing import NamedTuple

from runner import registry
from runner.cli.arguments import add_format
from runner.cli.output import Output
from runner.cli.rule_pages import READING, VAULT, WARNINGS
from runner.diagnostics import names_hint
from runner.errors import JsonObject, UsageError
from runner.settings import Settings

EXAMPLES = ("runner explain", "runner explain undefined-reference")

_EXAMPLE = re.compile(r"^```(bad|good)\n(.*?)^```$\n?", re.DOTALL | re.MULTILINE)


class Page(NamedTuple):
    """What is known of a rule. `examples` are pairs of `bad` or `good` and the text of files."""

    rule: str
    severity: str
    summary: str
    text: str
    examples: tuple[tuple[str, str], ...]


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("rule", metavar="RULE", nargs="?", help="name of a rule (default: list all)")
    add_format(parser, "text", "json", "markdown")


def run(options: argparse.Namespace, _: Settings, output: Output) -> int:
    """Print the page of one rule, or the list of all."""
    if options.rule is None:
        pages = [page(name) for name in names()]
        output.data({"text": _list, "json": _list_json, "markdown": _list_markdown}[options.format](pages))
        return 0
    found = page(_known(options.rule))
    output.data({"text": _text, "json": _json, "markdown": _markdown}[options.format](found))
    return 0


def names() -> list[str]:
    """List every rule by name."""
    return sorted({*registry.names("rules"), *READING, *VAULT})


def page(name: str) -> Page:
    """Take the page of a rule out of the docstring of its file, or of where rules without a file have theirs."""
    if name in registry.names("rules"):
        module = registry.load("rules", name)
        return _page(name, module.SEVERITY.value, module.SUMMARY, module.__doc__ or "")
    written = READING.get(name) or VAULT[name]
    title = written.partition(".\n")[0]
    severity = "warning" if name in WARNINGS else "error"
    return _page(name, severity, title[:1].lower() + title[1:], written)


def _page(name: str, severity: str, summary: str, written: str) -> Page:
    examples = tuple((match[1], match[2]) for match in _EXAMPLE.finditer(written))
    return Page(name, severity, summary, _EXAMPLE.sub("", written).strip(), examples)


def _known(given: str) -> str:
    """Take a name as diagnostics show it: also `error[name]`, or with underscores."""
    match = re.fullmatch(r"(?:error|warning)\[(.+)\]", given)
    name = (match[1] if match else given).replace("_", "-").lower()
    if name not in names():
        raise UsageError(f"there is no rule '{given}'", help=names_hint(name, names(), what="rules"))
    return name


def _text(found: Page) -> str:
    parts = [f"{found.severity}[{found.rule}]", found.text]
    for kind, files in found.examples:
        indented = "".join(f"    {line}" for line in files.splitlines(keepends=True))
        parts.append(f"{kind.capitalize()}:\n\n{indented.rstrip()}")
    return "\n\n".join(parts) + "\n"


def _markdown(found: Page) -> str:
    parts = [f"# {found.rule}", f"Severity: {found.severity}.", found.text]
    parts += [f"{kind.capitalize()}:\n\n```yaml\n{files}```" for kind, files in found.examples]
    return "\n\n".join(parts) + "\n"


def _json(found: Page) -> str:
    examples = [{"kind": kind, "files": files} for kind, files in found.examples]
    return _dumps({"format": "runner.d/rule/1", **_brief(found), "text": found.text, "examples": examples})


def _list(pages: list[Page]) -> str:
    from runner.reports.text.style import table

    rows = [["RULE", "SEVERITY", "MEANING"]]
    rows += [[each.rule, each.severity, each.summary] for each in pages]
    return "\n".join(table(rows)) + "\n"


def _list_json(pages: list[Page]) -> str:
    return _dumps({"format": "runner.d/rules/1", "rules": [_brief(each) for each in pages]})


def _list_markdown(pages: list[Page]) -> str:
    rows = [f"| `{each.rule}` | {each.severity} | {each.summary} |" for each in pages]
    return "\n".join(["| Rule | Severity | Meaning |", "| --- | --- | --- |", *rows]) + "\n"


def _brief(found: Page) -> JsonObject:
    return {"rule": found.rule, "severity": found.severity, "summary": found.summary}


def _dumps(value: JsonObject) -> str:
    from runner.reports.json import dumps

    return dumps(value)
