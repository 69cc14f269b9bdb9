"""Comments that silence a rule for a line: where they may stand, what they cannot silence, those of no use."""

from pathlib import Path

import pytest

from tests.rules.projects import findings, underlined

C = "connections.d/c.yaml"
PLAIN = "type: none\nbase_url: http://a.example.com{}\n"


def rules(root: Path, text: str, **more: str) -> list[tuple[str, str]]:
    found = findings(root, {C: text, **more})
    return [(item.rule, underlined(root, item.primary.span)) for item in found]


@pytest.mark.parametrize(
    "comment",
    [
        " # runner: ignore[plain-http] no TLS inside the cluster",
        "  #runner:ignore[plain-http]",
        " # see #12 # runner: ignore[plain-http] x",
        " # runner: ignore[ plain-http ] x",
    ],
)
def test_a_comment_at_the_end_of_the_line(comment: str, tmp_path: Path) -> None:
    assert rules(tmp_path, PLAIN.format(comment)) == []


@pytest.mark.parametrize("indent", ["", "    "])
def test_a_comment_alone_on_the_line_before(indent: str, tmp_path: Path) -> None:
    text = f"type: none\n{indent}# runner: ignore[plain-http] no TLS inside\nbase_url: http://a.example.com\n"
    assert rules(tmp_path, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "# runner: ignore[plain-http] x\ntype: none\nbase_url: http://a.example.com\n",
        "type: none\nbase_url: http://a.example.com\n# runner: ignore[plain-http] x\n",
        "type: none\n# runner: ignore[plain-http] x\n\nbase_url: http://a.example.com\n",
        "type: none # runner: ignore[plain-http] x\nbase_url: http://a.example.com\n",
    ],
)
def test_another_line_is_not_silenced(text: str, tmp_path: Path) -> None:
    assert sorted(rules(tmp_path, text)) == [
        ("plain-http", "http://a.example.com"),
        ("unused-ignore", "plain-http"),
    ]


def test_another_rule_is_not_silenced(tmp_path: Path) -> None:
    text = PLAIN.format(" # runner: ignore[malformed-url] x")
    assert sorted(rules(tmp_path, text)) == [
        ("plain-http", "http://a.example.com"),
        ("unused-ignore", "malformed-url"),
    ]


def test_several_rules_of_one_line(tmp_path: Path) -> None:
    text = "type: none\nbase_url: http://a.example.com?x=1 # runner: ignore[plain-http, malformed-url,raw-in-path] x\n"
    assert rules(tmp_path, text) == [("unused-ignore", "raw-in-path")]


def test_other_files_are_their_own(tmp_path: Path) -> None:
    other = "type: none\nbase_url: http://b.example.com\n"
    text = PLAIN.format(" # runner: ignore[plain-http] x")
    assert rules(tmp_path, text, **{"connections.d/b.yaml": other}) == [
        ("plain-http", "http://b.example.com")
    ]


def test_a_rule_that_does_not_exist(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, {C: "type: none\nbase_url: https://a.test # runner: ignore[plain-htp] x\n"})
    assert (found.rule, found.message, found.help) == (
        "unused-ignore",
        "there is no rule 'plain-htp' that a comment can silence",
        "did you mean 'plain-http'?",
    )


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("type: none\nbase_url: https://a.test\nfoo: 1 # runner: ignore[unknown-key] x\n", "unknown-key"),
        (
            "type: bearer\nbase_url: https://a.test\nauth:\n  token: abcdef # runner: ignore[hardcoded-secret] x\n",
            "hardcoded-secret",
        ),
        ("type: [ # runner: ignore[yaml-syntax] x\n", "yaml-syntax"),
    ],
)
def test_mistakes_of_reading_are_not_silenced(text: str, rule: str, tmp_path: Path) -> None:
    assert sorted(item.rule for item in findings(tmp_path, {C: text})) == sorted([rule, "unused-ignore"])


def test_the_policy_is_not_silenced_by_whom_it_is_for(tmp_path: Path) -> None:
    files = {
        "runner.yaml": "policy: {hosts: [b.test]}\n",
        C: "type: none\nbase_url: https://a.test # runner: ignore[policy-hosts] please\n",
    }
    found = findings(tmp_path, files)
    assert [item.rule for item in found] == ["policy-hosts", "unused-ignore"]
    assert found[1].message.startswith("'policy-hosts' cannot be silenced")


def test_an_unused_comment_cannot_be_silenced_either(tmp_path: Path) -> None:
    text = "type: none\nbase_url: https://a.test # runner: ignore[unused-ignore] x\n"
    assert rules(tmp_path, text) == [("unused-ignore", "unused-ignore")]


@pytest.mark.parametrize(
    "text",
    [
        "# the runner: ignore it\ntype: none\nbase_url: https://a.test\n",
        "type: none\nbase_url: https://a.test\ndescription: 'x#runner: ignore[plain-http]'\n",
    ],
)
def test_what_is_no_comment_of_ours(text: str, tmp_path: Path) -> None:
    assert rules(tmp_path, text) == []


def test_a_line_inside_a_block(tmp_path: Path) -> None:
    text = (
        "actions:\n  - id: a\n    # runner: ignore[undefined-reference] x\n    set: {v: '{{ inputs.x }}'}\n"
    )
    assert findings(tmp_path, {"workflows.d/w.yaml": text}) == []
