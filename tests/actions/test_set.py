"""`set`: computed values with their types."""

from pathlib import Path

from tests.projects import make, run


def test_values_keep_their_types_and_feed_later_actions(tmp_path: Path) -> None:
    actions = [
        {
            "id": "first",
            "set": {
                "number": "{{ inputs.n + 1 }}",
                "text": "n={{ inputs.n }}",
                "plain": 1.5,
                "deep": {"list": ["{{ inputs.n }}", None, True, "007"]},
                "nothing": "{{ none }}",
            },
        },
        {"id": "second", "set": {"copy": "{{ actions.first.output.deep }}", "at": "{{ run.workflow }}"}},
    ]
    project = make(tmp_path, {"workflows.d/main.yaml": {"inputs": {"n": {"default": 2}}, "actions": actions}})
    ran = run(project)
    assert ran.action("first").output == {
        "number": 3,
        "text": "n=2",
        "plain": 1.5,
        "deep": {"list": [2, None, True, "007"]},
        "nothing": None,
    }
    assert ran.action("second").output == {"copy": {"list": [2, None, True, "007"]}, "at": "main"}


def test_a_value_that_cannot_be_computed_names_its_place(tmp_path: Path) -> None:
    text = "inputs: {d: {default: {}}}\nactions:\n  - id: a\n    set:\n      x: '{{ inputs.d.missing }}'\n"
    ran = run(make(tmp_path, {"workflows.d/main.yaml": text}))
    assert ran.failure[0] == "render"
    assert "missing" in ran.failure[1]
    assert str(ran.result.error and ran.result.error.span) == "workflows.d/main.yaml:5:14"
