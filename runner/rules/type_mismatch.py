"""An input is used as something that its type is not.

`inputs.days + 'd'` with a number, `inputs.site < 3` with text, the length of a number: such a template fails in every
run, whatever is given. `inputs.days == '14'` is never true, and so is a comparison with a value that the input's `enum`
does not list; those are warnings.

What a call gives to the inputs of another workflow (`with`) is checked as well: written values against the schema of the
input, and an input that is passed on against its type.

Only what is certain is reported: an input with a declared `type`, beside a literal or another such input. A filter
between them (`int`, `string`) makes it something else.

```bad
# workflows.d/report.yaml
inputs:
  days: {type: integer, default: 14}
actions:
  - id: search
    request:
      url: https://example.com/search
      query: {q: "{{ 'updated<' + inputs.days }}"}
```
```good
# workflows.d/report.yaml
inputs:
  days: {type: integer, default: 14}
actions:
  - id: search
    request:
      url: https://example.com/search
      query: {q: "{{ 'updated<' ~ inputs.days }}"}
```
"""

from collections.abc import Iterator

from runner.calls import callee
from runner.diagnostics import Diagnostic, Severity, error, warning
from runner.expression import Facts, Operand, Operation, facts
from runner.model import Action, Input, Workflow
from runner.project import Project
from runner.reference import Reference
from runner.rules import place
from runner.schema import TYPE_WORDS, problems_of, written
from runner.template import Template, templates

SEVERITY = Severity.ERROR
SUMMARY = "an input is used as something that its type is not"

_NUMERIC = frozenset({"integer", "number", "boolean"})
_ORDER = frozenset({"<", "<=", ">", ">="})
_ARITHMETIC = frozenset({"+", "-", "*", "/", "//", "**"})
_OF_MANY = frozenset(
    {"length", "count", "list", "first", "last", "sort", "join", "min", "max", "unique", "map", "select"}
    | {"reject", "reverse", "batch", "slice", "for"}
)
_FITTING = frozenset({("integer", "number")})
_OF_NUMBERS = frozenset({"abs", "round"})
_OF_MAPPINGS = frozenset({"items", "dictsort"})


def check(project: Project) -> Iterator[Diagnostic]:
    """Look at every operation on an input whose type is declared, and at what calls give to inputs."""
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            called = callee(project, action)
            if called is not None:
                yield from _given(workflow, action, called)
        typed = {name: each for name, each in workflow.inputs.items() if _kind_of_input(each)}
        if not typed:
            continue
        for template in workflow.templates:
            if any(each.root == "inputs" for each in template.references):
                found = facts(template)
                for operation in found.operations:
                    yield from _operation(template, typed, operation)
                yield from _parts(workflow, template, typed, found)


def _given(workflow: Workflow, action: Action, called: Workflow) -> Iterator[Diagnostic]:
    """Check what a call gives to the inputs of a workflow: written values, and inputs passed on as they are."""
    for name, declared in called.inputs.items():
        if name not in action.inputs or declared.secret:
            continue
        tree = action.inputs[name]
        pointer = (*action.pointer, "with", name)
        if not any(not each.constant for each in templates(tree)):
            problems = list(problems_of(declared.schema, workflow.document.get(pointer)))
            for place_of, sentence in problems[:1]:
                part = f" at '{written(place_of)}'" if place_of else ""
                message = (
                    f"the input '{name}' of '{called.name}' must be {sentence.removeprefix('must be ')}{part}"
                )
                yield error(
                    "type-mismatch", message, workflow.document.span(pointer), help=declared.description
                )
        elif isinstance(tree, Template):
            passed = _passed_on(workflow, tree)
            kinds = (passed and _kind_of_input(passed), _kind_of_input(declared))
            if passed is not None and None not in kinds and kinds not in _FITTING and kinds[0] != kinds[1]:
                message = (
                    f"the input '{name}' of '{called.name}' is {TYPE_WORDS[str(kinds[1])]}, "
                    f"and '{passed.name}' is {TYPE_WORDS[str(kinds[0])]}"
                )
                remedy = "change the type of one of the two inputs, or convert it with a filter"
                yield error("type-mismatch", message, workflow.document.span(pointer), help=remedy)


def _passed_on(workflow: Workflow, each: Template) -> Input | None:
    """Give the input that a template is and nothing more."""
    parts = each.text.strip()
    reference = each.references[0] if len(each.references) == 1 else None
    if reference is None or reference.root != "inputs" or len(reference.path) != 1:
        return None
    whole = parts.removeprefix("{{").removesuffix("}}").strip() == reference.text
    return workflow.inputs.get(str(reference.path[0])) if whole else None


def _kind_of_input(declared: Input) -> str | None:
    kind = declared.schema.get("type")
    # A secret input is text in templates, whatever its type.
    return kind if isinstance(kind, str) and not declared.secret else None


def _operation(template: Template, typed: dict[str, Input], operation: Operation) -> Iterator[Diagnostic]:
    left = _kind(operation.left, typed)
    name = operation.operator
    if operation.right is None:
        wrong = (
            (name in _OF_MANY and left in _NUMERIC)
            or (name in _OF_NUMBERS and left == "string")
            or (name in _OF_MAPPINGS and left is not None and left != "object")
        )
        if left is not None and wrong and operation.left.reference is not None:
            does = "cannot be gone through" if name == "for" else f"does not fit the filter '{name}'"
            message = f"'{operation.left.reference.text}' is {TYPE_WORDS[left]}: it {does}"
            remedy = "change the type of the input, or convert it with a filter"
            yield error("type-mismatch", message, template.place(*operation.left.place), help=remedy)
        return
    right = _kind(operation.right, typed)
    if left is None or right is None or not (operation.left.reference or operation.right.reference):
        return
    span = template.place(operation.left.place[0], operation.right.place[1])
    what = f"{TYPE_WORDS[left]} and {TYPE_WORDS[right]}"
    if (name in _ORDER and not _comparable(left, right)) or (
        name in _ARITHMETIC and not _computable(name, left, right)
    ):
        remedy = "join text with ~" if name == "+" else "convert one side: | int, | float, | string"
        yield error("type-mismatch", f"'{name}' does not work on {what}", span, help=remedy)
    elif name in ("==", "!="):
        comes_to = "false" if name == "==" else "true"
        if not _comparable(left, right) and left != right:
            message = f"this is always {comes_to}: {what} are never equal"
            remedy = "write the literal in the type of the input: 14, '14', true, 'true' are four things"
            yield warning("type-mismatch", message, span, help=remedy)
        elif not _listed(operation, typed):
            message = f"this is always {comes_to}: the input's `enum` does not list this value"
            yield warning("type-mismatch", message, span, help="compare with one of its values")


def _kind(operand: Operand, typed: dict[str, Input]) -> str | None:
    if operand.is_literal:
        value = operand.literal
        if isinstance(value, bool):
            return "boolean"
        names = {int: "integer", float: "number", str: "string", type(None): "null"}
        return names.get(type(value))
    reference = operand.reference
    if reference is None or reference.root != "inputs" or len(reference.path) != 1 or reference.guarded:
        return None
    declared = typed.get(str(reference.path[0]))
    return _kind_of_input(declared) if declared else None


def _comparable(left: str, right: str) -> bool:
    return left == right or {left, right} <= _NUMERIC


def _computable(operator: str, left: str, right: str) -> bool:
    if {left, right} <= _NUMERIC:
        return True
    if operator == "+":
        return left == right and left in ("string", "array")
    if operator == "*":
        kinds = {left, right}
        return bool(kinds & {"string", "array"}) and bool(kinds & {"integer", "number", "boolean"})
    return False


def _listed(operation: Operation, typed: dict[str, Input]) -> bool:
    """Tell whether the literal that an input is compared with is one of its `enum`."""
    for one, other in ((operation.left, operation.right), (operation.right, operation.left)):
        if one is None or other is None or one.reference is None or not other.is_literal:
            continue
        values = typed[str(one.reference.path[0])].schema.get("enum")
        if isinstance(values, list) and other.literal not in values:
            return False
    return True


def _parts(
    workflow: Workflow, template: Template, typed: dict[str, Input], found: Facts
) -> Iterator[Diagnostic]:
    """Find parts of what has none: `inputs.days.value`."""
    for use in found.uses:
        reference: Reference = use.reference
        if reference.root != "inputs" or len(reference.path) < 2 or reference.guarded or use.beside:
            continue
        declared = typed.get(str(reference.path[0]))
        kind = _kind_of_input(declared) if declared else None
        part = reference.path[1]
        if kind in _NUMERIC or (kind == "string" and isinstance(part, str)):
            yield error(
                "type-mismatch",
                f"the input '{reference.path[0]}' is {TYPE_WORDS[kind]}: it has no '{part}'",
                place(template, reference, 2),
                help=f"write inputs.{reference.path[0]}, or change its type in '{workflow.name}'",
            )
