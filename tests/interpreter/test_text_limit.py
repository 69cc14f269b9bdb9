"""`limits.template_output` of a workflow holds wherever it renders a template, and raising it helps."""

from pathlib import Path
from typing import Any

import pytest

from tests.projects import make, run

LARGE = "a{{ 'x' * 3000 }}"
PLACES: dict[str, dict[str, Any]] = {
    "vars": {"vars": {"large": LARGE}, "actions": [{"id": "one", "set": {"n": "{{ vars.large | length }}"}}]},
    "for_each": {"actions": [{"id": "one", "for_each": [LARGE], "set": {"n": "{{ item | length }}"}}]},
    "with": {"actions": [{"id": "one", "workflow": "callee", "with": {"text": LARGE}}]},
    "outputs": {"actions": [{"id": "one", "set": {"n": 1}}], "outputs": {"large": LARGE}},
}


@pytest.mark.parametrize("place", PLACES)
def test_it_holds(place: str, tmp_path: Path) -> None:
    callee = {
        "inputs": {"text": {"type": "string"}},
        "actions": [{"id": "count", "set": {"n": "{{ inputs.text | length }}"}}],
    }

    def ended(limit: str) -> tuple[str, str]:
        workflow = {**PLACES[place], "limits": {"template_output": limit}}
        files = {"workflows.d/main.yaml": workflow, "workflows.d/callee.yaml": callee}
        ran = run(make(tmp_path / limit, files))
        error = ran.result.error
        return ran.result.status.value, str(error.help) if error else ""

    assert ended("1KiB") == ("failed", "raise `limits.template_output` in the workflow, or give less")
    assert ended("1MiB") == ("succeeded", "")
