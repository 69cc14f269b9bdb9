"""Templates without a project: a text becomes the value of a key of a YAML file."""

import json

from runner.document import parse
from runner.template import Mode, Template

ROOTS = frozenset({"inputs", "vars", "actions", "run", "secrets", "environment"})


def made(text: str, mode: Mode = Mode.VALUE) -> Template:
    document, found = parse(f"key: {json.dumps(text, ensure_ascii=False)}", "f.yaml")
    assert document is not None, found
    return Template(text, mode, document, ("key",), ROOTS, "key")
