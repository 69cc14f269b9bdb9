"""Calls of workflows and the order of actions: each mistake gives its one finding, in the right place."""

from pathlib import Path

import pytest

from runner.diagnostics import Diagnostic
from tests.rules.projects import findings, underlined

SUB = """
inputs:
  n: {type: integer, minimum: 1}
  word: {type: string, default: x}
  token: {secret: true}
actions:
  - id: send
    request: {url: https://example.com, headers: {X-T: "{{ inputs.token }}", X-N: "{{ inputs.n }}{{ inputs.word }}"}}
    output: "{{ response.status }}"
outputs: {status: "{{ actions.send.output }}"}
"""
HEAD = """
inputs: {days: {type: string, default: a}, pw: {secret: true}}
secrets: {key: "env://KEY"}
actions:
  - {id: first, request: {url: https://example.com, headers: {X-K: "{{ secrets.key }}{{ inputs.pw }}{{ inputs.days }}"}}}
"""


def found_in(root: Path, actions: str, **files: str) -> list[Diagnostic]:
    texts = {f"workflows.d/{name}.yaml": text for name, text in files.items()}
    return findings(root, {"workflows.d/sub.yaml": SUB, "workflows.d/main.yaml": HEAD + actions, **texts})


def brief(root: Path, found: list[Diagnostic]) -> list[tuple[str, str, str]]:
    return [(item.rule, underlined(root, item.primary.span), item.message) for item in found]


@pytest.mark.parametrize(
    ("given", "rule", "marked", "message"),
    [
        ('n: 1, token: "{{ secrets.key }}"', None, "", ""),
        ('n: 1, token: "{{ inputs.pw }}"', None, "", ""),
        ('n: "{{ actions.first.output.n }}", token: "x{{ secrets.key }}"', None, "", ""),
        ('token: "{{ secrets.key }}"', "unfit-call", "sub", "needs the input 'n'"),
        ('n: 1, m: 2, token: "{{ secrets.key }}"', "unfit-call", "m", "has no input 'm'"),
        ("n: 1, token: abcdefgh", "unfit-call", "abcdefgh", "a value typed in here is in git for good"),
        (
            'n: 1, word: "{{ secrets.key }}", token: "{{ secrets.key }}"',
            "unfit-call",
            "secrets.key",
            "'secrets.key' is secret, and the input 'word' is not",
        ),
        ('n: 0, token: "{{ secrets.key }}"', "type-mismatch", "0", "must be at least 1"),
        ('n: text, token: "{{ secrets.key }}"', "type-mismatch", "text", "must be a whole number"),
        (
            'n: "{{ inputs.days }}", token: "{{ secrets.key }}"',
            "type-mismatch",
            '"{{ inputs.days }}"',
            "'n' of 'sub' is a whole number, and 'days' is text",
        ),
    ],
)
def test_what_a_call_gives(given: str, rule: str | None, marked: str, message: str, tmp_path: Path) -> None:
    found = found_in(tmp_path, f"  - {{id: call, workflow: sub, with: {{{given}}}}}\n")
    if rule is None:
        assert found == []
        return
    assert [item[:2] for item in brief(tmp_path, found)] == [(rule, marked)]
    assert message in found[0].message


def test_unknown_workflows_circles_and_outputs(tmp_path: Path) -> None:
    calls = """
  - {id: call, workflow: sbu}
  - {id: a, workflow: one}
  - {id: b, set: {x: "{{ actions.a.output.there }}{{ actions.a.output.gone }}"}}
"""
    one = "actions:\n  - {id: a, workflow: two}\noutputs: {there: 1}\n"
    two = "actions:\n  - {id: b, workflow: one}\n"
    found = found_in(tmp_path, calls, one=one, two=two)
    assert brief(tmp_path, found) == [
        ("undefined-workflow", "sbu", "no workflow 'sbu'"),
        ("undefined-reference", "actions.a.output.gone", "'actions.a.output' has no 'gone'"),
        ("workflow-cycle", "two", "these workflows call each other: one -> two -> one"),
    ]
    assert [label.message for label in found[2].related] == ["'two' calls 'one'"]


def test_outputs_that_are_secret(tmp_path: Path) -> None:
    leaky = SUB.replace('outputs: {status: "', 'outputs: {token: "{{ inputs.token }}", status: "')
    call = '  - {id: call, workflow: leaky, with: {n: 1, token: "{{ secrets.key }}"}}\n'
    found = found_in(tmp_path, call, leaky=leaky)
    assert [item.rule for item in found] == ["secret-in-output", "secret-in-output"]
    assert "made of a secret: the action fails" in found[1].message
    assert (
        found_in(tmp_path / "b", call.replace("workflow:", "sensitive: true, workflow:"), leaky=leaky) == []
    )


ORDERED = """
  - {id: a, needs: [], request: {url: https://example.com}}
  - {id: b, needs: [], request: {url: https://example.com}}
"""


@pytest.mark.parametrize(
    ("action", "marked", "message", "remedy"),
    [
        ("needs: [a, b]", "", "", ""),
        ("needs: [b]", "actions.a", "does not wait for it", "add it: needs: [b, a]"),
        ("name: n", "actions.a", "nothing before this one waits for it", "needs: [b, a]"),
        ("needs: [a, c]", "c", "'c' waits for itself", "take one of them out"),
        ("needs: [a, late]", "late", "stands in `finally`, which runs after this one", "own list"),
        ("needs: [a, d]", "d", "no action 'd' to wait for", "actions: a, b, first"),
    ],
)
def test_references_to_what_may_still_be_running(
    action: str, marked: str, message: str, remedy: str, tmp_path: Path
) -> None:
    last = f"""
  - {{id: c, {action}, set: {{x: "{{{{ actions.a.output }}}}"}}}}
finally:
  - {{id: late, needs: [c], set: {{x: "{{{{ actions.b.status }}}}"}}}}
"""
    found = found_in(tmp_path, ORDERED + last)
    if not marked:
        assert found == []
        return
    assert [underlined(tmp_path, item.primary.span) for item in found] == [marked]
    assert message in found[0].message
    assert remedy in str(found[0].help)


def test_what_never_runs_is_told_by_the_order_and_not_by_the_place(tmp_path: Path) -> None:
    actions = """
  - {id: end, needs: [], fail: "no"}
  - {id: beside, needs: [first], set: {x: 1}}
  - {id: behind, needs: [end], set: {x: 1}}
"""
    found = found_in(tmp_path, actions)
    assert brief(tmp_path, found) == [
        ("unreachable-action", "behind", "'behind' never runs: 'end' before it ends the run")
    ]


@pytest.mark.parametrize(
    ("action", "rule", "marked"),
    [
        ('for_each: "{{ inputs.pw }}", wait: 1s', "unavailable-root", "inputs.pw"),
        ('for_each: "{{ secrets.key }}", wait: 1s', "unavailable-root", "secrets"),
        ('for_each: ["{{ item }}"], wait: 1s', "unavailable-root", "item"),
        ("for_each: text, wait: 1s", "invalid-value", "text"),
        ("concurrency: 2, wait: 1s", "invalid-value", "concurrency"),
        ('set: {x: "{{ actions.many.response }}"}', "undefined-reference", "actions.many.response"),
    ],
)
def test_mistakes_in_for_each(action: str, rule: str, marked: str, tmp_path: Path) -> None:
    many = '  - {id: many, for_each: [1], request: {url: "https://example.com/{{ item }}"}}\n'
    found = found_in(tmp_path, f"{many}  - {{id: wrong, {action}}}\n")
    assert [item[:2] for item in brief(tmp_path, found)] == [(rule, marked)]


def test_the_output_of_for_each_is_there_whatever_happened_to_its_items(tmp_path: Path) -> None:
    actions = """
  - {id: many, for_each: [1], if: "{{ item > 1 }}", on_error: continue, request: {url: https://example.com}}
  - {id: whole, if: "{{ inputs.days == 'b' }}", for_each: [1], wait: 1s}
  - {id: use, set: {x: "{{ actions.many.output }}"}}
  - {id: bad, set: {x: "{{ actions.whole.output }}"}}
"""
    found = found_in(tmp_path, actions)
    assert [item[:2] for item in brief(tmp_path, found)] == [("skipped-reference", "actions.whole.output")]
