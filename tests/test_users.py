"""Who is meant by `--as`: identities, the error for who is not known, and a users.yaml that says it badly."""

import json
from pathlib import Path

import pytest

from runner import users
from runner.check import check
from runner.cli import main
from runner.compare import compare
from runner.errors import UsageError
from tests.rules.projects import loaded

USERS = """\
users:
  ann:
    email: [Ann@example.com, ann@example.org]
    slack: U024BE7LH
    git: ["Ann Lee <ann@example.com>"]
    oidc: "repo:acme/ops:ref:refs/heads/main"
  bob: {description: away, email: bob@example.com, slack: ann@example.org}
"""
CONNECTION = "type: bearer\nbase_url: https://example.com\nauth: {token: 'vault://secret/people/{{ user }}/x#t'}\ntest: {path: /}\n"
WORKFLOW = "actions:\n  - {id: one, connection: c, request: {path: /x}}\n"
FILES = {"connections.d/c.yaml": CONNECTION, "workflows.d/w.yaml": WORKFLOW}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (None, None),
        ("ann", "ann"),
        ("ANN@example.com", "ann"),
        ("email:ann@example.org", "ann"),
        ("slack:U024BE7LH", "ann"),
        ("U024BE7LH", "ann"),
        ("Ann Lee <ann@example.com>", "ann"),
        ("repo:acme/ops:ref:refs/heads/main", "ann"),
        ("oidc:repo:acme/ops:ref:refs/heads/main", "ann"),
        ("bob@example.com", "bob"),
    ],
)
def test_an_identity_stands_for_a_user(given: str | None, name: str | None, tmp_path: Path) -> None:
    project = loaded(tmp_path, {**FILES, "users.yaml": USERS})
    assert check(project) == []
    assert users.resolve(project.users, given) == name


@pytest.mark.parametrize(
    ("given", "message", "remedy"),
    [
        ("carl", "user not found: 'carl' is not in users.yaml", "`carl: {}` below `users` in users.yaml"),
        ("an", "user not found", "did you mean 'ann'?"),
        ("u024be7lh", "user not found", "users.yaml"),
        ("slack:ann", "user not found", "`slack: ann`"),
        ("carl@example.com", "user not found", "`email: carl@example.com`"),
        ("C <c@example.com>", "user not found", '`git: "C <c@example.com>"`'),
        ("repo:acme/x", "user not found", '`oidc: "repo:acme/x"`'),
        ("../ann", "user not found", "users.yaml"),
        ("", "user not found", "users.yaml"),
        ("ann@example.org", "may be any of these users: ann, bob", "email:ann@example.org"),
    ],
)
def test_nobody_else_is_a_user(given: str, message: str, remedy: str, tmp_path: Path) -> None:
    """Never a fallback: with a users.yaml not even what would be a user name."""
    project = loaded(tmp_path, {**FILES, "users.yaml": USERS})
    with pytest.raises(UsageError) as caught:
        users.resolve(project.users, given)
    assert message in caught.value.message
    assert remedy in str(caught.value.help)


def test_without_the_file_a_name_stands_for_itself() -> None:
    assert users.resolve(None, "ann@example.com") == "ann@example.com"
    for given in ("slack:U024BE7LH", "a/b", "../x", "-x", "a b"):
        with pytest.raises(UsageError):
            users.resolve(None, given)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [("wrong-type", "1:1", "the file is empty")]),
        ("people: {}\n", [("missing-key", "1:1", "'users' is missing"), ("unknown-key", "1:1", "'people'")]),
        ("users: {a/b: {}}\n", [("invalid-value", "1:9", "'a/b' is no valid name")]),
        ("users: {ann: {phone: 1}}\n", [("unknown-key", "1:15", "'phone'")]),
        (
            "users: {ann: {email: []}, bob: {slack: ''}}\n",
            [("invalid-value", "1:40", "text that is not empty")],
        ),
        (
            "users: {ann: {email: A@x.com}, bob: {email: [b@x.com, a@x.com]}}\n",
            [("duplicate-name", "1:55", "'ann' and 'bob' have the same identity")],
        ),
    ],
)
def test_mistakes_in_the_file(text: str, found: list[tuple[str, str, str]], tmp_path: Path) -> None:
    project = loaded(tmp_path, {**FILES, "users.yaml": text})
    told = [item for item in check(project) if item.primary.span.path == "users.yaml"]
    assert len(told) == len(found), told
    told.sort(key=lambda item: item.rule)
    for item, (rule, place, message) in zip(told, found, strict=True):
        start = item.primary.span.start
        assert (item.rule, f"{start.line}:{start.column}") == (rule, place)
        assert message in item.message
    assert project.users == {}
    with pytest.raises(UsageError, match="user not found"):
        users.resolve(project.users, "ann")


def test_commands_take_an_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded(tmp_path, {**FILES, "users.yaml": USERS})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNNER_USER", "slack:U024BE7LH")
    assert main(["plan", "w", "--format", "json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["user"] == "ann"
    assert "secret/people/ann/x#t" in json.dumps(plan)
    assert main(["vault-policy", "w"]) == 0
    assert "secret/data/people/ann/x" in capsys.readouterr().out
    for command in (("plan", "w"), ("run", "w"), ("connections", "test", "c"), ("vault-policy",)):
        assert main([*command, "--as", "carl"]) == 2
        assert "user not found: 'carl'" in capsys.readouterr().err
    assert main(["schema", "users"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "runner.d users"


def test_a_comparison_says_who_is_taken_for_whom(tmp_path: Path) -> None:
    before = loaded(tmp_path / "a", {**FILES, "users.yaml": USERS})
    after = loaded(
        tmp_path / "b",
        {
            **FILES,
            "users.yaml": USERS.replace("    slack: U024BE7LH\n", "")
            .replace("away, ", "away, git: Bob, ")
            .replace("slack: ann@example.org", "slack: U024BE7LH"),
        },
    )
    result = compare(before, after)
    told = [(each["kind"], each["message"], each.get("before"), each["after"]) for each in result["danger"]]
    assert told == [
        ("users", "git 'Bob' stands for 'bob'", None, "bob"),
        ("users", "slack 'U024BE7LH' stands for another user", "ann", "bob"),
    ]
    (change,) = result["changes"]
    assert (change["what"], change["file"]) == ("users", "users.yaml")
    assert {each["key"] for each in change["entries"]} == {"ann.slack", "bob.git", "bob.slack"}
    none = loaded(tmp_path / "c", FILES)
    assert [each["message"] for each in compare(before, none)["danger"]] == [
        "it is gone: every user name stands for itself"
    ]
    new = [each["message"] for each in compare(none, before)["danger"]]
    assert "slack 'U024BE7LH' stands for 'ann'" in new
    assert not any(message.startswith("name ") for message in new)
