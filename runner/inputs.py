"""The inputs of a run: read from the command line, a file and the environment, by the types that the workflow declares."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from runner import exact_json
from runner.diagnostics import names_hint
from runner.errors import UsageError
from runner.model import Input, Workflow
from runner.sensitive import Secret


def read_inputs(
    workflow: Workflow,
    pairs: Sequence[str],
    file_data: Mapping[str, Any] | None,
    environ: Mapping[str, str],
    *,
    partial: bool = False,
) -> dict[str, Any]:
    """Read the inputs of a run: `-i`, then the input file, then RUNNER_INPUT_NAME, then defaults.

    Text from the command line and the environment is read by the input's type. Secret inputs come back as `Secret`.
    With `partial`, inputs that are missing are left out. Raises UsageError.
    """
    given: dict[str, Any] = {}
    for name in workflow.inputs:
        variable = f"RUNNER_INPUT_{name.upper()}"
        if variable in environ:
            given[name] = _typed(workflow.inputs[name], environ[variable], variable)
    for name, value in (file_data or {}).items():
        _known_input(workflow, name)
        given[name] = value
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UsageError(f"'-i {name}' has no value", help="write -i NAME=VALUE")
        declared = _known_input(workflow, name)
        if declared.secret:
            raise UsageError(
                f"the input '{name}' is secret: it is never given on the command line",
                help=f"set RUNNER_INPUT_{name.upper()}, or use --input-file FILE (- for standard input)",
            )
        given[name] = _typed(declared, text, f"-i {name}")
    missing = [each for name, each in workflow.inputs.items() if each.required and name not in given]
    if missing and not partial:
        raise _missing(missing)
    result: dict[str, Any] = {}
    for name, declared in workflow.inputs.items():
        if name not in given:
            if not declared.required:
                result[name] = declared.default
            continue
        _check_input(declared, given[name])
        value = given[name]
        if declared.secret:
            value = Secret(value if isinstance(value, str) else exact_json.dumps(value), f"inputs.{name}")
        result[name] = value
    return result


def _known_input(workflow: Workflow, name: str) -> Input:
    if name not in workflow.inputs:
        raise UsageError(
            f"the workflow '{workflow.name}' has no input '{name}'",
            help=names_hint(name, workflow.inputs, what="inputs"),
        )
    return workflow.inputs[name]


_WANTED = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a JSON list",
    "object": "a JSON mapping",
}


def _typed(declared: Input, text: str, source: str) -> Any:
    kind = str(declared.schema.get("type", "string"))
    try:
        text.encode()
        if kind == "integer":
            return int(text)
        if kind == "number":
            return _number(text)
        if kind == "boolean":
            return {"true": True, "false": False}[text]
        if kind in ("array", "object"):
            return exact_json.bounded(text)
    except UnicodeEncodeError:  # Python stands in for bytes that are no text with half characters
        raise UsageError(
            f"{source}: the input '{declared.name}' is not UTF-8 text", help=declared.description
        ) from None
    except (ValueError, KeyError, OverflowError):
        shown = "" if declared.secret else f", not '{text[:40]}'"
        raise UsageError(
            f"{source}: the input '{declared.name}' must be {_WANTED[kind]}{shown}", help=declared.description
        ) from None
    return text


def _number(text: str) -> Any:
    """Read a number as JSON does, so that it keeps its text; other spellings (`+1`, `.5`) as the double they say."""
    plain = float(text)
    try:
        return exact_json.loads(text)
    except ValueError:
        if not math.isfinite(plain):
            raise
        return int(plain) if plain.is_integer() and "." not in text and "e" not in text.lower() else plain


def _check_input(declared: Input, value: Any) -> None:
    from runner.schema import problems_of, written

    for pointer, sentence in problems_of(declared.schema, value):
        part = f" at '{written(pointer)}'" if pointer else ""
        raise UsageError(
            f"the input '{declared.name}' must be {sentence.removeprefix('must be ')}{part}",
            help=declared.description,
        )


def _missing(inputs: Sequence[Input]) -> UsageError:
    first, *others = inputs
    if not others:
        return UsageError(f"the input '{first.name}' is missing", help=_how_to_give(first))
    names = ", ".join(f"'{each.name}'" for each in inputs)
    secret = ", ".join(f"'{each.name}'" for each in inputs if each.secret)
    return UsageError(
        f"{len(inputs)} inputs are missing: {names}",
        help="give -i NAME=VALUE, --input-file FILE or RUNNER_INPUT_NAME; `runner workflows show` describes them"
        + (f"; {secret} never with -i" if secret else ""),
    )


def _how_to_give(declared: Input) -> str:
    variable = f"RUNNER_INPUT_{declared.name.upper()}"
    about = f"{declared.description}; " if declared.description else ""
    if declared.secret:
        return f"{about}set {variable}, or use --input-file FILE (- for standard input)"
    return f"{about}give -i {declared.name}=VALUE, --input-file FILE or {variable}"
