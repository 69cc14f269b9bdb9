"""JSON Schema: the one user of jsonschema. Turns its verdicts into diagnostics at the exact key.

jsonschema-rs, where it is installed, is asked first: it says a hundred times sooner that a value is valid, and then
jsonschema is not even imported. Whatever it does not plainly accept is judged, and explained, by jsonschema.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from runner.diagnostics import Diagnostic, error, names_hint
from runner.document import Pointer
from runner.filters import REGEX_SECONDS, search_time, type_name
from runner.language import schema_text
from runner.schema_parts import judged_alike, unusable
from runner.source import Span

Locate = Callable[[Pointer, bool], Span]
"""Finds the place of a pointer; with True the place of its key."""

TYPE_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
"""Types of JSON Schema, as messages call a value of them."""


@cache
def _shipped(name: str) -> Any:
    import json

    return json.loads(schema_text(name))


@cache
def _schema(name: str, type_: str | None = None) -> Any:
    """Give a shipped schema; with a type only those of its branches that may concern it, which are few of very many."""
    whole = _shipped(name)
    if type_ is not None:
        whole = {**whole, "allOf": [branch for branch in whole["allOf"] if _concerns(branch, type_)]}
    return _forbidding(whole)


def _concerns(branch: Any, type_: str) -> bool:
    condition = branch.get("if", {})
    asked = condition.get("properties", {}).get("type")
    if asked is None or "type" not in condition.get("required", ()):
        return True
    return type_ in asked.get("enum", (asked.get("const"),))


def _type_of(name: str, value: Any) -> str | None:
    """Give the type by which the branches of a schema are chosen; None where a schema has no such branches."""
    if name != "connection":
        return None
    type_ = value.get("type") if isinstance(value, dict) else None
    return type_ if isinstance(type_, str) else ""


def _forbidding(schema: Any) -> Any:
    """Write a property that is `false` as `not: {}`: jsonschema forgets which property the former was."""
    if isinstance(schema, list):
        return [_forbidding(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _forbidding(item) for key, item in schema.items()}
    if isinstance(made.get("properties"), dict):
        unfit = {"not": {}, "x-unfit": True}
        made["properties"] = {
            key: unfit if item is False else item for key, item in made["properties"].items()
        }
    return made


def _judge(schema: Any) -> Any:
    """Give what tells fast that a value is valid, or None where nothing can: not installed, or not its kind of schema."""
    try:
        import jsonschema_rs
    except ImportError:
        return None
    try:
        return jsonschema_rs.Draft202012Validator(schema, offline=True)
    except Exception:  # a reference that leads nowhere, a regular expression of Python's own
        return None


@cache
def _shipped_judge(name: str, type_: str | None) -> Any:
    return _judge(_schema(name, type_))


@cache
def _meta_judge() -> Any:
    try:
        from jsonschema_rs import meta
    except ImportError:
        return None
    return meta


def _accepts(judge: Any, value: Any) -> bool:
    """Tell whether a value is valid for certain; False leaves it to jsonschema."""
    try:
        return judge is not None and bool(judge.is_valid(value))
    except Exception:  # half a surrogate pair, a number without end: jsonschema takes more than it does
        return False


def _validator(schema: Any) -> Any:
    """Make the validator that explains. It fetches nothing: what a `$ref` leads to is in the schema, or nowhere."""
    from jsonschema import Draft202012Validator, validators

    return Draft202012Validator(schema, registry=validators.SPECIFICATIONS)  # type: ignore[attr-defined]


def _bounded_validator(schema: Any) -> Any:
    """Make a validator of a schema that a user wrote: a regular expression that takes too long is a TimeoutError."""
    from jsonschema import validators

    return _bounded_class()(schema, registry=validators.SPECIFICATIONS)  # type: ignore[attr-defined]


@cache
def _bounded_class() -> Any:
    from jsonschema import Draft202012Validator, validators

    def tried(patterns: Iterable[str], texts: Iterable[Any]) -> None:
        for text in texts:
            if isinstance(text, str):
                with search_time():
                    for pattern in patterns:
                        re.search(pattern, text)

    def bounded(keyword: str) -> Any:
        judge = Draft202012Validator.VALIDATORS[keyword]

        def judged(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
            if keyword == "pattern":
                tried([value], [instance])
            elif isinstance(instance, dict):
                tried(schema.get("patternProperties", ()), instance)
            yield from judge(validator, value, instance, schema) or ()

        return judged

    keywords = ("pattern", "patternProperties", "additionalProperties", "unevaluatedProperties")
    return validators.extend(Draft202012Validator, {each: bounded(each) for each in keywords})  # type: ignore[no-untyped-call]


def check(name: str, value: Any, locate: Locate) -> list[tuple[Pointer, Diagnostic]]:
    """Check the value of a file against the schema `name`; gives each diagnostic with the pointer it belongs to."""
    type_ = _type_of(name, value)
    if _accepts(_shipped_judge(name, type_), value):
        return []
    whole = _schema(name, type_)
    found: dict[tuple[Any, ...], tuple[Pointer, Diagnostic]] = {}
    for problem in _validator(whole).iter_errors(value):
        for pointer, diagnostic in _explain(problem, locate, whole):
            found.setdefault((pointer, diagnostic.rule, diagnostic.message), (pointer, diagnostic))
    return list(found.values())


def problems_of(schema: Any, value: Any) -> list[tuple[Pointer, str]]:
    """Check data against a schema that a user wrote; gives pointer and sentence, never a value."""
    if judged_alike(schema) and _accepts(_judge(schema), value):
        return []
    try:
        problems = list(_bounded_validator(schema).iter_errors(value))
    except TimeoutError:
        return [((), _TOO_SLOW)]
    except Exception:  # RecursionError, a reference to what is no schema: whatever libraries raise for them
        return [((), _UNDECIDED)]
    return [(tuple(problem.absolute_path), _sentence(problem)) for problem in problems]


_TOO_SLOW = (
    f"easier to check: a `pattern` of its schema took longer than {REGEX_SECONDS:.0f} s; make that simpler"
)
_UNDECIDED = "as its schema says, but that leads in circles or to what is no schema"


def schema_problem(schema: Any) -> tuple[Pointer, str] | None:
    """Tell what is wrong with a schema that a user wrote, or None."""
    # It would judge by the draft that `$schema` names; here every schema is one of 2020-12.
    own_draft = isinstance(schema, dict) and "$schema" in schema
    if own_draft or not _accepts(_meta_judge(), schema):
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import best_match

        problem = best_match(_validator(Draft202012Validator.META_SCHEMA).iter_errors(schema))
        if problem:
            return tuple(problem.absolute_path), _sentence(problem)
    return unusable(schema)


def written(pointer: Iterable[str | int]) -> str:
    """Write a pointer as people do: `body.items[0].id`."""
    text = ""
    for part in pointer:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _explain(problem: Any, locate: Locate, whole: Any) -> Iterable[tuple[Pointer, Diagnostic]]:
    """Turn one verdict into diagnostics, by the keyword that gave it."""
    pointer: Pointer = tuple(problem.absolute_path)
    schema = problem.schema
    keyword = problem.validator
    if isinstance(schema, dict) and schema.get("x-secret"):
        if not isinstance(
            problem.instance, str
        ):  # of text that is no reference `bind` says what is wrong with it
            message = f"'{written(pointer)}' takes a secret reference, not {type_name(problem.instance)}"
            where = locate(pointer, False)
            yield pointer, error("hardcoded-secret", message, where, help=_SECRET_HELP, concealed=True)
    elif keyword == "additionalProperties" and problem.validator_value is False:
        yield from _unknown_keys(problem, pointer, locate)
    elif keyword == "required":
        yield pointer, _missing_key(problem, pointer, locate, whole)
    elif isinstance(schema, dict) and schema.get("x-unfit"):  # a key that does not fit here
        message = f"'{pointer[-1] if pointer else '?'}' does not apply here"
        remedy = "remove it, or check the type or kind beside it"
        yield pointer, error("unknown-key", message, locate(pointer, True), help=remedy)
    elif "propertyNames" in problem.absolute_schema_path:
        name = (*pointer, problem.instance)
        message = f"'{problem.instance}' is no valid name here"
        yield name, error("invalid-value", message, locate(name, True), help=f"write {_sentence(problem)}")
    elif keyword == "oneOf":
        if isinstance(problem.instance, dict):
            yield pointer, _kinds(problem, locate(pointer, False))
    else:
        yield pointer, _wrong_value(problem, pointer, locate(pointer, False))


def _unknown_keys(problem: Any, pointer: Pointer, locate: Locate) -> Iterable[tuple[Pointer, Diagnostic]]:
    from runner.foreign_keys import meant

    known = set(problem.schema.get("properties", {}))
    patterns = list(problem.schema.get("patternProperties", {}))
    for key in problem.instance:
        if key in known or any(re.search(pattern, key) for pattern in patterns):
            continue
        foreign = meant(key, known)
        remedy = f"write '{foreign}'" if foreign else names_hint(key, known, what="keys here")
        message, where = f"unknown key '{key}'", (*pointer, key)
        yield where, error("unknown-key", message, locate(where, True), help=remedy)


def _missing_key(problem: Any, pointer: Pointer, locate: Locate, whole: Any) -> Diagnostic:
    name = re.match(r"'([^']*)'", problem.message)
    key = name[1] if name else "?"
    here = problem.schema if pointer else whole
    described = here.get("properties", {}).get(key, {})
    about = described.get("description") if isinstance(described, dict) else None
    inside = f" in '{written(pointer)}'" if pointer else ""
    return error("missing-key", f"the key '{key}' is missing{inside}", locate(pointer, False), help=about)


def _kinds(problem: Any, where: Span) -> Diagnostic:
    kinds = [option["required"][0] for option in problem.schema["oneOf"]]
    given = [kind for kind in kinds if kind in problem.instance]
    message = (
        f"an action has one kind, this one has {' and '.join(given)}" if given else "the action has no kind"
    )
    return error("action-kind", message, where, help=f"give it {problem.schema['x-message']}")


def _wrong_value(problem: Any, pointer: Pointer, where: Span) -> Diagnostic:
    schema = problem.schema
    secretive = "auth" in pointer and pointer[-1] != "type"
    remedy: str | None = schema.get("description") if isinstance(schema, dict) else None
    if problem.validator == "enum" and isinstance(problem.instance, str) and not secretive:
        options = [str(option) for option in problem.validator_value if isinstance(option, str)]
        remedy = names_hint(problem.instance, options, what="possible")
    rule = "wrong-type" if problem.validator == "type" else "invalid-value"
    what = f"'{written(pointer)}'" if pointer else "the file"
    return error(rule, f"{what} must be {_wanted(problem)}", where, help=remedy, concealed=secretive)


_SECRET_HELP = "store it in Vault and write vault://MOUNT/PATH#FIELD here; replace it where it was used: it is in the history of git"  # noqa: S105


def _wanted(problem: Any) -> str:
    schema = problem.schema if isinstance(problem.schema, dict) else {}
    value = problem.validator_value
    if problem.validator == "type":
        kinds = value if isinstance(value, list) else [value]
        wanted = " or ".join(TYPE_WORDS[kind] for kind in kinds)
        own = str(schema["x-message"]) if "x-message" in schema and "oneOf" not in schema else wanted
        return f"{own}, not {type_name(problem.instance)}"
    if "x-message" in schema:
        return str(schema["x-message"])
    if problem.validator == "enum":
        return "one of " + ", ".join(str(option) for option in value)
    if problem.validator == "const":
        return f"{value!r}"
    return _sentence(problem)


def _sentence(problem: Any) -> str:
    """Say what a value fails, in words of ours that hold no part of the value."""
    schema = problem.schema if isinstance(problem.schema, dict) else {}
    if "x-message" in schema:
        return str(schema["x-message"])
    value = problem.validator_value
    name = re.match(r"'([^']*)'", problem.message)
    if problem.validator == "type":
        kinds = value if isinstance(value, list) else [value]
        return f"{' or '.join(TYPE_WORDS.get(str(kind), str(kind)) for kind in kinds)}, not {type_name(problem.instance)}"
    sentences: dict[str, str] = {
        "minimum": f"at least {value}",
        "maximum": f"at most {value}",
        "exclusiveMinimum": f"more than {value}",
        "exclusiveMaximum": f"less than {value}",
        "minLength": "text that is not empty" if value == 1 else f"at least {value} characters long",
        "maxLength": f"at most {value} characters long",
        "minItems": "a list that is not empty" if value == 1 else f"a list of at least {value} items",
        "maxItems": f"a list of at most {value} items",
        "pattern": f"text that matches {value}",
        "enum": "one of " + ", ".join(map(str, value)) if isinstance(value, list) else "",
        "const": f"{value!r}",
        "minProperties": "a mapping that is not empty"
        if value == 1
        else f"a mapping of at least {value} keys",
        "maxProperties": f"a mapping of at most {value} keys",
        "uniqueItems": "a list without repetitions",
        "required": f"a mapping with the key '{name[1] if name else '?'}'",
        "format": f"a valid {value}",
        "multipleOf": f"a multiple of {value}",
        "additionalProperties": "a mapping without other keys than the declared ones",
    }
    return sentences.get(problem.validator) or f"as its schema says ({problem.validator})"
