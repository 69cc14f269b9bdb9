"""A trigger starts a run that cannot start: its inputs or its environment do not fit.

A scheduler asks nobody. Every input without a default must be given by the trigger, under its name and in its type; a
secret input cannot be given at all, because a trigger stands in git: declare the secret under `secrets` instead.

```bad
# workflows.d/report.yaml
triggers:
  - schedule: "0 7 * * 1-5"
    inputs: {dys: 14}
inputs:
  days: {type: integer, minimum: 1}
actions:
  - id: search
    request: {url: "https://example.com/search?days={{ inputs.days }}"}
```
```good
# workflows.d/report.yaml
triggers:
  - schedule: "0 7 * * 1-5"
    inputs: {days: 14}
inputs:
  days: {type: integer, minimum: 1}
actions:
  - id: search
    request: {url: "https://example.com/search?days={{ inputs.days }}"}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, error, names_hint
from runner.model import Trigger, Workflow
from runner.project import Project
from runner.rules import settings_unread

SEVERITY = Severity.ERROR
SUMMARY = "a trigger starts a run that cannot start: its inputs or its environment do not fit"


def check(project: Project) -> Iterator[Diagnostic]:
    """Compare every trigger with the inputs of its workflow and the environments of the project."""
    environments = None if settings_unread(project) else project.environments
    for workflow in project.workflows.values():
        for trigger in workflow.triggers:
            if environments is not None:
                yield from _environment(workflow, trigger, environments)
            if "inputs" not in workflow.unread:
                yield from _given(workflow, trigger)
                yield from _missing(workflow, trigger)


def _environment(workflow: Workflow, trigger: Trigger, known: tuple[str, ...]) -> Iterator[Diagnostic]:
    name = trigger.environment
    if name is None or name in known:
        return
    where = workflow.document.span((*trigger.pointer, "environment"))
    remedy = names_hint(name, known, what="environments") if known else "runner.yaml has no `environments`"
    yield error("unfit-trigger", f"no environment '{name}' in runner.yaml", where, help=remedy)


def _given(workflow: Workflow, trigger: Trigger) -> Iterator[Diagnostic]:
    from runner.schema import problems_of, written

    for name, value in trigger.inputs.items():
        pointer = (*trigger.pointer, "inputs", name)
        declared = workflow.inputs.get(name)
        if declared is None:
            if _declared(workflow, name):
                continue
            where = workflow.document.span(pointer, key=True)
            remedy = names_hint(name, workflow.inputs, what="inputs")
            yield error("unfit-trigger", f"the workflow has no input '{name}'", where, help=remedy)
        elif declared.secret:
            yield error(
                "unfit-trigger",
                f"the input '{name}' is secret: a value typed in here is in git for good",
                workflow.document.span(pointer),
                help="declare a secret reference under `secrets`, and use it in place of the input",
                concealed=True,
            )
        else:
            for place, sentence in problems_of(declared.schema, value):
                part = f" at '{written(place)}'" if place else ""
                message = f"the input '{name}' must be {sentence.removeprefix('must be ')}{part}"
                where = workflow.document.span((*pointer, *place))
                yield error("unfit-trigger", message, where, help=declared.description)


def _missing(workflow: Workflow, trigger: Trigger) -> Iterator[Diagnostic]:
    where = workflow.document.span((*trigger.pointer, "inputs" if trigger.inputs else "schedule"), key=True)
    for declared in workflow.inputs.values():
        if not declared.required or declared.name in trigger.inputs:
            continue
        if declared.secret:
            message = f"nobody is there to give the secret input '{declared.name}'"
            remedy = "declare a secret reference under `secrets`, and use it in place of the input"
        else:
            message = f"the trigger does not give the input '{declared.name}', which has no default"
            remedy = f"add `inputs: {{{declared.name}: ...}}` to the trigger, or a `default` to the input"
        yield error("unfit-trigger", message, where, help=remedy)


def _declared(workflow: Workflow, name: str) -> bool:
    """Tell whether the file declares an input, with or without errors in it."""
    value = workflow.document.value
    declared = value.get("inputs") if isinstance(value, dict) else None
    return isinstance(declared, dict) and name in declared
