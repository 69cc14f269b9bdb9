"""The outputs of a workflow."""

from pathlib import Path

from tests.interpreter.script import interpret, ok, reading, step


def test_outputs_keep_their_types(tmp_path: Path) -> None:
    outputs = {
        "number": "{{ actions.a.output.n }}",
        "list": ["{{ actions.a.output.n }}", "n={{ actions.a.output.n }}"],
        "plain": 5,
        "none": None,
    }
    ran = interpret(tmp_path, {"actions": [step("a")], "outputs": outputs}, {"a": ok({"n": 3})})
    assert ran.outcome.outputs == {"number": 3, "list": [3, "n=3"], "plain": 5, "none": None}


def test_what_a_secret_flows_into_is_masked_in_the_outputs(tmp_path: Path) -> None:
    workflow = {
        "inputs": {"token": {"secret": True}},
        "actions": [step("login", sensitive=True), reading("b", "{{ actions.login.status }}")],
        "outputs": {
            "whole": "{{ actions.login.output }}",
            "part": "Bearer {{ actions.login.output.token }}",
            "input": "{{ inputs.token }}",
            "status": "{{ actions.login.status }}",
            "other": "{{ actions.b.output }}",
        },
    }
    answers = {"login": {"status": "succeeded", "sensitive": True, "record": {}}}
    ran = interpret(tmp_path, workflow, answers, token="a secret input")
    assert ran.outcome.outputs == {
        "whole": "***",
        "part": "Bearer ***",
        "input": "***",
        "status": "succeeded",
        "other": "b",
    }
    assert ran.result("login").sensitive
    assert ran.script.refs["b"]["actions"] == {
        "login": {"status": "succeeded", "sensitive": {"key": "login"}}
    }
