"""Files as a whole: renamed, unreadable, changed through another, with a secret typed in."""

import json

import pytest

from runner.compare.conceal import SHOWN
from tests.compare.projects import (
    ESCALATE,
    PROJECT,
    TICKETS,
    Files,
    compared,
    dangers,
    edited,
    project,
    written,
)

TYPED_IN = "typed-in-0123456789"


def without(files: Files, path: str) -> dict[str, str]:
    return {name: text for name, text in files.items() if name != path}


def test_a_renamed_connection_is_one_change_and_nothing_else() -> None:
    used = PROJECT[ESCALATE].replace("connection: tickets", "connection: eu/desk")
    rewritten = PROJECT[TICKETS].replace("shared: true", "'shared':   true # the team's")
    after = {"connections.d/eu/desk.yaml": rewritten, ESCALATE: used}
    result = compared(PROJECT, after)
    assert written(result) == ["connections.d/eu/desk.yaml renamed"]
    assert result["changes"][0]["was"] == "tickets"
    assert result["danger"] == result["indirect"] == []


def test_a_renamed_workflow_concerns_those_who_start_it() -> None:
    after = {**without(PROJECT, ESCALATE), "workflows.d/new.yaml": PROJECT[ESCALATE]}
    result = compared(PROJECT, after)
    assert written(result) == ["workflows.d/new.yaml renamed"]
    assert dangers(result) == [("callers", "the workflow was called 'escalate' before")]


def test_of_two_equal_files_the_one_with_the_same_last_name_is_taken() -> None:
    before = {
        **PROJECT,
        "workflows.d/a/job.yaml": PROJECT[ESCALATE],
        "workflows.d/b/run.yaml": PROJECT[ESCALATE],
    }
    after = {
        **PROJECT,
        "workflows.d/c/run.yaml": PROJECT[ESCALATE],
        "workflows.d/d/job.yaml": PROJECT[ESCALATE],
    }
    names = {item["name"]: item["was"] for item in compared(before, after)["changes"]}
    assert names == {"c/run": "b/run", "d/job": "a/job"}


def test_a_renamed_and_changed_workflow_is_gone_and_new() -> None:
    changed = PROJECT[ESCALATE].replace("title: idle", "title: busy")
    result = compared(PROJECT, {**without(PROJECT, ESCALATE), "workflows.d/new.yaml": changed})
    assert [(item["name"], item["change"]) for item in result["changes"]] == [
        ("escalate", "removed"),
        ("new", "added"),
    ]


def test_a_renamed_file_that_cannot_be_read() -> None:
    before = {**PROJECT, "workflows.d/a.yaml": "actions: [\n"}
    after = {**PROJECT, "workflows.d/b.yaml": "actions: [\n"}
    assert written(compared(before, after)) == ["workflows.d/b.yaml renamed"]


@pytest.mark.parametrize(
    ("broken", "expected"),
    [((True, False), ["base"]), ((False, True), ["head"]), ((True, True), ["base", "head"])],
)
def test_a_side_that_cannot_be_read(broken: tuple[bool, bool], expected: list[str]) -> None:
    texts = ["actions: [\n" if each else PROJECT[ESCALATE] for each in broken]
    result = compared({**PROJECT, ESCALATE: texts[0]}, {**PROJECT, ESCALATE: texts[1] + "# other\n"})
    (item,) = result["changes"]
    assert item["unread"] == expected
    assert (result["base"]["errors"] > 0, result["head"]["errors"] > 0) == broken
    assert ("not-compared", "it has errors: what is said of it here may be incomplete") in dangers(result)
    assert bool(item["entries"] or item["actions"]) == (expected == ["base"])


def test_what_can_be_read_of_a_file_with_errors_is_compared() -> None:
    after = edited(ESCALATE, "path: /search", "path: /search, metod: GET")
    after = edited(ESCALATE, "title: idle", "title: busy", after)
    result = compared(PROJECT, after)
    assert result["head"]["errors"] == 1
    assert f"{ESCALATE} create ~ request.json.title: 'idle' 'busy'" in written(result)
    assert [kind for kind, _ in dangers(result)] == ["not-compared", "changed-write"]


def test_workflows_that_change_through_something_else() -> None:
    settings = "    vars: {title: a, other: b}\n"
    child = "    extends: tickets\n    description: child\n"
    by_variable = "    actions: [{id: a, set: {t: \"{{ vars['title'] }}\"}}]\n"
    by_child = "    actions: [{id: a, connection: child, request: {path: /x}}]\n"
    before = {
        **PROJECT,
        "runner.yaml": settings,
        "connections.d/child.yaml": child,
        "workflows.d/variable.yaml": by_variable,
        "workflows.d/child.yaml": by_child,
        "workflows.d/none.yaml": "    actions: [{id: a, wait: 1s}]\n",
    }
    after = edited("runner.yaml", "title: a", "title: c", before)
    assert compared(before, after)["indirect"] == [
        {"workflow": "variable", "file": "workflows.d/variable.yaml", "through": ["vars.title (runner.yaml)"]}
    ]
    after = edited(TICKETS, "shared: true", "shared: true\n    timeout: 10s", before)
    through = {item["workflow"]: item["through"] for item in compared(before, after)["indirect"]}
    assert through == {
        "escalate": ["connection tickets"],
        "child": ["connection child, which extends tickets"],
    }
    # What changed by itself as well is not listed again.
    after = edited(ESCALATE, "title: idle", "title: busy", after)
    assert [item["workflow"] for item in compared(before, after)["indirect"]] == ["child"]


SECRETS = [
    (TICKETS, '"vault://secret/support/tickets#api_token"', TYPED_IN),
    (TICKETS, "shared: true", f"shared: true\n    headers: {{X-Api-Key: {TYPED_IN}}}"),
    (TICKETS, "shared: true", f"shared: true\n    headers: {{X-Api-Key: {TYPED_IN}}} # runner: ignore[hardcoded-secret] no"),
    (TICKETS, "https://tickets", f"https://user:{TYPED_IN}@tickets"),
    (TICKETS, 'token: "vault', f'tokn: {TYPED_IN}, token: "vault'),
    (ESCALATE, "title: idle", f"title: idle, password: {TYPED_IN}"),
    (ESCALATE, "default: 14", f"default: {TYPED_IN}, secret: true"),
    (ESCALATE, "title: idle", 'title: "gh\\x70_0123456789abcdefghijABCDEFGHIJ456789"'),
    (ESCALATE, "    actions:", f"    x-a: &a {TYPED_IN}\n    vars: {{api_token: *a, plain: {TYPED_IN}}}\n    actions:"),
    (ESCALATE, "    actions:", f"    secrets: {{key: {TYPED_IN}}}\n    vars: {{plain: 'is {TYPED_IN}!'}}\n    actions:"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "old", "new"), SECRETS)
@pytest.mark.parametrize("turned", [False, True])
def test_a_typed_in_secret_is_never_shown(path: str, old: str, new: str, *, turned: bool) -> None:
    sides = [PROJECT, edited(path, old, new)]
    result = compared(*(reversed(sides) if turned else sides))
    text = json.dumps(result, ensure_ascii=False)
    assert TYPED_IN not in text
    assert "0123456789abcdef" not in text
    assert SHOWN in text
    assert "\\u0000" not in text
    assert result["changes"]


def test_another_typed_in_secret_is_a_change() -> None:
    one, other = (
        edited(TICKETS, "shared: true", f"shared: true\n    headers: {{X-Api-Key: key-{n}-{TYPED_IN}}}")
        for n in (1, 2)
    )
    assert written(compared(one, other)) == [f"{TICKETS} ~ headers.x-api-key: '{SHOWN}' '{SHOWN}'"]
    assert compared(one, one)["changes"] == []


def test_a_typed_in_secret_hides_no_danger() -> None:
    after = edited(
        TICKETS, "shared: true", "shared: true\n    headers: {X-Api-Key: anything, X-Token: connection}"
    )
    after = edited(TICKETS, '    allow: ["GET *", "POST /tickets"]\n', "", after)
    items = [item for item in compared(PROJECT, after)["danger"] if item["kind"] == "connection"]
    assert [(item["connection"], item["file"]) for item in items] == [("tickets", TICKETS)]


def test_references_and_templates_are_shown() -> None:
    after = edited(TICKETS, "shared: true", 'shared: true\n    headers: {X-Api-Key: "vault://secret/x#y"}')
    after = edited(ESCALATE, "title: idle", 'title: idle, password: "{{ inputs.days }}"', after)
    text = json.dumps(compared(PROJECT, after), ensure_ascii=False)
    assert SHOWN not in text
    assert "vault://secret/x#y" in text


def test_the_digest_is_that_of_the_change() -> None:
    after = edited(ESCALATE, "title: idle", "title: busy")
    digest = compared(PROJECT, after)["digest"]
    assert (
        compared(
            edited(TICKETS, "shared", "# more\n    shared"), edited(ESCALATE, "title", "'title'", after)
        )["digest"]
        == digest
    )
    assert compared(PROJECT, edited(ESCALATE, "title: idle", "title: bus"))["digest"] != digest
    assert digest.startswith("sha256:")
    assert len(digest) == 71


def test_nothing_at_all() -> None:
    result = compared({}, {})
    assert result["changes"] == result["danger"] == []
    assert written(compared({}, PROJECT))[:2] == [f"{TICKETS} added", f"{TICKETS} + type: '' 'bearer'"]


def test_contents_that_are_no_text_are_a_finding() -> None:
    assert [
        item.rule for item in project({"workflows.d/a.yaml": "a: b\n# " + "x" * 1_100_000}).diagnostics
    ] == ["file-too-large"]
