"""Two states of a project, made of texts, and what comparing them gives."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

from runner.check import check
from runner.compare import compare
from runner.errors import JsonObject
from runner.project import Project, load

Files = Mapping[str, str]

CONNECTION = """
    type: bearer
    base_url: https://tickets.example.com/api
    shared: true
    auth: {token: "vault://secret/support/tickets#api_token"}
    allow: ["GET *", "POST /tickets"]
"""
WORKFLOW = """
    inputs:
      days: {type: integer, default: 14}
    actions:
      - id: search
        connection: tickets
        request: {path: /search, query: {days: "{{ inputs.days }}"}}
        expect: {status: 200, that: ["{{ response.body.ok }}"]}
      - id: create
        if: "{{ actions.search.output.count > 0 }}"
        connection: tickets
        request: {method: POST, path: /tickets, json: {title: idle}}
    outputs: {count: "{{ actions.search.output.count }}"}
"""
PROJECT: Files = {"connections.d/tickets.yaml": CONNECTION, "workflows.d/escalate.yaml": WORKFLOW}
"""A project without a mistake; the tests change one thing of it."""

TICKETS, ESCALATE = PROJECT


def project(files: Files) -> Project:
    contents = {path: textwrap.dedent(text).encode() for path, text in files.items()}
    return load(Path("/nowhere"), files=contents)


def compared(before: Files, after: Files) -> JsonObject:
    old, new = project(before), project(after)
    return compare(old, new, found=(check(old), check(new)))


def edited(path: str, old: str, new: str, files: Files = PROJECT) -> Files:
    """Give the project with a part of one file replaced; the part must stand there."""
    assert old in files[path], old
    return {**files, path: files[path].replace(old, new)}


def dangers(result: JsonObject) -> list[tuple[str, str]]:
    return [(item["kind"], item["message"]) for item in result["danger"]]


def written(result: JsonObject) -> list[str]:
    """Write every change on a line: file, action, sign, key, before, after."""
    lines = []
    for item in result["changes"]:
        if item["change"] != "changed":
            lines.append(f"{item['file']} {item['change']}")
        parts = [("", entry) for entry in item["entries"]]
        for action in item.get("actions", ()):
            if action["change"] != "changed":
                lines.append(f"{item['file']} {action['id']} {action['change']}")
            parts += [(f"{action['id']} ", entry) for entry in action["entries"]]
        lines += [
            f"{item['file']} {who}{entry['sign']} {entry['key']}: {entry.get('before', '')!r} {entry.get('after', '')!r}"
            for who, entry in parts
        ]
    return lines
