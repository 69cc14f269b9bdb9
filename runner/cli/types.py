"""`runner types [NAME]`: the auth types and the presets."""

import argparse

from runner.cli.arguments import add_format
from runner.cli.output import Output
from runner.cli.yaml_text import WIDE, flow, indented, written
from runner.errors import JsonObject, UsageError
from runner.settings import Settings

EXAMPLES = ("runner types", "runner types slack", "runner types jira --format json")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="an auth type or a preset (default: list all)"
    )
    add_format(parser, "text", "json")


def run(options: argparse.Namespace, _: Settings, output: Output) -> int:
    """List the types, or describe one."""
    from runner import presets, registry
    from runner.cli import type_facts as facts
    from runner.reports.json import dumps

    if options.name is None:
        listed: JsonObject = {
            "format": "runner.d/types/1",
            "auth": facts.auth_types(),
            "presets": facts.all_presets(),
        }
        output.data(dumps(listed) if options.format == "json" else _list(listed))
        return 0
    name = str(options.name).lower()
    if name in presets.names():
        found = facts.preset(name)
    elif name in registry.names("auth"):
        found = facts.auth_type(name)
    else:
        from runner.diagnostics import names_hint

        known = [*registry.names("auth"), *presets.names()]
        raise UsageError(f"there is no type '{options.name}'", help=names_hint(name, known, what="types"))
    if options.format == "json":
        output.data(dumps(found))
    else:
        output.data(_auth_type(found) if found["kind"] == "auth type" else _preset(found))
    return 0


def _list(found: JsonObject) -> str:
    from runner.reports.text.style import table

    rows = [[f"  {each['name']}", each["summary"]] for each in found["auth"]]
    lines = ["auth types", *table(rows)]
    rows = [[f"  {each['name']}", each["title"], ", ".join(each["auth"])] for each in found["presets"]]
    aligned = table(rows)
    category = None
    for each, line in zip(found["presets"], aligned, strict=True):
        if each["category"] != category:
            category = each["category"]
            lines += ["", str(category)]
        lines.append(line)
    return "\n".join([*lines, "", "`runner types NAME` describes one"]) + "\n"


def _auth_type(found: JsonObject) -> str:
    lines = [f"{found['name']}: {found['summary']}"]
    if found["fields"]:
        lines += ["", "auth", *_fields(found["fields"])]
    return "\n".join([*lines, "", "a connection", *indented(written(found["file"]))]) + "\n"


def _preset(found: JsonObject) -> str:
    supplied = found["supplies"]
    lines = [
        f"{found['name']}: {found['title']} ({found['category']})",
        "",
        f"base_url  {supplied['base_url']}",
    ]
    lines += [f"link      {link}" for link in found["links"]]
    if found["variables"]:
        rows = [[f"  {each['name']}", _about_variable(each)] for each in found["variables"]]
        lines += ["", "variables", *_columns(rows)]
    for number, way in enumerate(found["auth"]):
        title = f"auth, type {way['name']}" + (" (the default)" if not number and found["auth"][1:] else "")
        lines += ["", title + (f": {way['about']}" if way["about"] else ""), *_fields(way["fields"])]
        if way["scopes"]:
            lines.append(f"  least scopes: {' '.join(way['scopes'])}")
        lines += indented(_settings(way))
    others = {key: item for key, item in supplied.items() if key != "base_url"}
    lines += ["", "supplies, where the connection does not say otherwise", *indented(written(others))]
    if found["unverified"]:
        lines += ["", f"not verified against the vendor: {', '.join(found['unverified'])}"]
    if found["notes"]:
        lines += ["", *_wrapped(found["notes"])]
    for way in found["auth"]:
        path = f"connections.d/{found['name']}.yaml"
        lines += ["", f"{path}, type {way['name']}" if found["auth"][1:] else path]
        lines += indented(written(way["file"]))
    return "\n".join(lines) + "\n"


def _settings(way: JsonObject) -> list[str]:
    """Say what a way to sign in brings along: what a file may replace by one of its fields, and what not."""
    fields = {each["name"] for each in way["fields"]}
    parts = {
        "sets, where the file does not say otherwise": {
            name: item for name, item in way["sets"].items() if name in fields
        },
        "sets": {name: item for name, item in way["sets"].items() if name not in fields},
        "supplies, where the connection does not say otherwise": way["supplies"],
    }
    return [line for title, part in parts.items() if part for line in (title, *indented(written(part)))]


def _about_variable(each: JsonObject) -> str:
    parts = [each["description"]]
    if each["values"]:
        parts.append(f"one of {', '.join(each['values'])}")
    parts.append(f"default {each['default']}" if each["default"] else f"for example {each['example']}")
    return "; ".join(parts)


def _fields(fields: list[JsonObject]) -> list[str]:
    return _columns(
        [
            [
                f"  {each['name']}",
                "required" if each["required"] else "optional",
                "secret reference" if each["secret"] else each["takes"],
                _about_field(each),
            ]
            for each in fields
        ]
    )


def _about_field(each: JsonObject) -> str:
    """Describe a field, without what every secret one says of references."""
    about = str(each["description"]).partition(" A secret reference:")[0]
    if all(value in about for value in each["values"]):
        return about
    return f"{about} One of {', '.join(map(flow, each['values']))}."


def _columns(rows: list[list[str]]) -> list[str]:
    """Align columns, the last of which goes on in the next line where it is long."""
    from runner.reports.text.style import table

    begun = table([[*row[:-1], ""] for row in rows])
    wide = max(map(len, begun), default=0) + 2
    lines = []
    for row, begin in zip(rows, begun, strict=True):
        first, *more = _wrapped(row[-1], WIDE + 10 - wide)
        lines += [f"{begin:{wide}}{first}", *(" " * wide + line for line in more)]
    return lines


def _wrapped(text: str, width: int = WIDE + 10) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
