"""`fail`: ends the run as failed, with a message."""

from pathlib import Path

import pytest

from tests.projects import make, run


def test_the_message_and_the_place(tmp_path: Path) -> None:
    text = (
        "inputs: {n: {default: 3}}\n"
        "actions:\n"
        "  - id: stop\n"
        "    if: '{{ inputs.n > 2 }}'\n"
        "    fail: too many ({{ inputs.n }})\n"
        "  - {id: never, set: {x: 1}}\n"
    )
    ran = run(make(tmp_path, {"workflows.d/main.yaml": text}))
    assert ran.failure == ("failed", "too many (3)")
    assert ran.statuses == {"stop": "failed", "never": "skipped"}
    assert str(ran.result.error and ran.result.error.span) == "workflows.d/main.yaml:5:11"
    assert ran.result.exit_code == 1


@pytest.mark.parametrize("secret", ["a secret input", "short"])
def test_a_secret_in_the_message_is_a_placeholder(secret: str, tmp_path: Path) -> None:
    workflow = {
        "inputs": {"token": {"secret": True}},
        "actions": [{"id": "stop", "fail": "no use for {{ inputs.token }}"}],
    }
    ran = run(make(tmp_path, {"workflows.d/main.yaml": workflow}), input_file={"token": secret})
    assert ran.failure == ("failed", "no use for ‹secret inputs.token›")
