"""Inputs, plans, and what a reviewer is shown: without Vault, without network, without secrets."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from runner.errors import UsageError
from runner.exact_json import Number
from runner.inputs import read_inputs
from runner.plan import KNOWN_LATER, Plan, describe, find_workflow, resolve
from runner.project import Project
from runner.sensitive import Secret
from tests.projects import make, planned, request, simple

JsonObject = dict[str, Any]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("a plan asks nobody")

    monkeypatch.setattr(socket, "create_connection", forbidden)
    monkeypatch.setattr(socket.socket, "connect", forbidden)


def with_inputs(root: Path, **inputs: JsonObject) -> Project:
    return make(
        root, {"workflows.d/main.yaml": {"inputs": inputs, "actions": [{"id": "a", "set": {"x": 1}}]}}
    )


def read(project: Project, *pairs: str, data: JsonObject | None = None, **environ: str) -> dict[str, Any]:
    return read_inputs(project.workflows["main"], pairs, data, environ)


def wrong(project: Project, *pairs: str, data: JsonObject | None = None, **environ: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(project, *pairs, data=data, **environ)
    return caught.value


# --- inputs


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({}, "007", "007"),
        ({"type": "string"}, "true", "true"),
        ({"type": "string"}, "a=b=c", "a=b=c"),
        ({"type": "string"}, "", ""),
        ({"type": "integer"}, "7", 7),
        ({"type": "integer"}, "-7", -7),
        ({"type": "number"}, "7", 7),
        ({"type": "number"}, "7.0", 7.0),
        ({"type": "number"}, "1e3", Number("1e3")),
        ({"type": "number"}, "1.10", Number("1.10")),
        ({"type": "number"}, "+1.5", 1.5),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "false", False),
        ({"type": "array"}, '[1, "a"]', [1, "a"]),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
    ],
)
def test_text_is_read_by_the_type(schema: JsonObject, text: str, value: Any, tmp_path: Path) -> None:
    project = with_inputs(tmp_path, x=schema)
    for given in (read(project, f"x={text}"), read(project, RUNNER_INPUT_X=text)):
        assert given == {"x": value}
        assert type(given["x"]) is type(value)


@pytest.mark.parametrize(
    ("schema", "text", "part"),
    [
        ({"type": "integer"}, "seven", "must be a whole number, not 'seven'"),
        ({"type": "integer"}, "7.5", "must be a whole number"),
        ({"type": "number"}, "a", "must be a number"),
        ({"type": "boolean"}, "yes", "must be true or false"),
        ({"type": "boolean"}, "True", "must be true or false"),
        ({"type": "array"}, "a,b", "must be a JSON list"),
        ({"type": "array"}, "{}", "must be "),
        ({"type": "object"}, "[", "must be a JSON mapping"),
        ({"type": "array"}, "[" * 101 + "]" * 101, "must be a JSON list"),
        ({"type": "array"}, "[" * 100_000, "must be a JSON list"),
        ({"type": "integer", "minimum": 1}, "0", "must be "),
        ({"type": "string", "enum": ["a", "b"]}, "c", "must be "),
        ({"type": "array", "items": {"type": "integer"}}, '[1, "a"]', "at '[1]'"),
    ],
)
def test_text_of_another_type(schema: JsonObject, text: str, part: str, tmp_path: Path) -> None:
    problem = wrong(with_inputs(tmp_path, x=schema), f"x={text}")
    assert "'x'" in problem.message
    assert part in problem.message


def test_command_line_over_file_over_environment_over_default(tmp_path: Path) -> None:
    project = with_inputs(tmp_path, **{name: {"default": "default"} for name in "abcd"})
    given = read(
        project,
        "a=line",
        data={"a": "file", "b": "file"},
        RUNNER_INPUT_A="environment",
        RUNNER_INPUT_B="environment",
        RUNNER_INPUT_C="environment",
        RUNNER_INPUT_OTHER="ignored",
    )
    assert given == {"a": "line", "b": "file", "c": "environment", "d": "default"}


def test_values_of_a_file_keep_their_types(tmp_path: Path) -> None:
    project = with_inputs(tmp_path, n={"type": "integer"}, s={"type": "string"})
    assert read(project, data={"n": 7, "s": "7"}) == {"n": 7, "s": "7"}
    assert "'s'" in wrong(project, data={"n": 7, "s": 7}).message


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    project = with_inputs(tmp_path, s={"type": "string"}, key={"secret": True})
    bad = os.fsdecode(b"\xff")
    assert wrong(project, f"s={bad}").message == "-i s: the input 's' is not UTF-8 text"
    assert "RUNNER_INPUT_KEY: the input 'key' is not" in wrong(project, RUNNER_INPUT_KEY=bad).message


def test_missing_unknown_and_valueless_inputs(tmp_path: Path) -> None:
    project = with_inputs(
        tmp_path, days={"type": "integer", "description": "idle days"}, key={"secret": True}
    )
    both = wrong(project)
    assert both.message == "2 inputs are missing: 'days', 'key'"
    assert str(both.help).endswith("; 'key' never with -i")
    missing = wrong(project, data={"key": "k"})
    assert missing.message == "the input 'days' is missing"
    assert missing.help is not None
    assert missing.help.startswith("idle days; give -i days=VALUE")
    unknown = wrong(project, "day=1")
    assert unknown.message == "the workflow 'main' has no input 'day'"
    assert unknown.help == "did you mean 'days'?"
    assert "no input 'day'" in wrong(project, data={"day": 1}).message
    assert wrong(project, "days").message == "'-i days' has no value"
    secret = wrong(project, "days=1")
    assert "RUNNER_INPUT_KEY" in str(secret.help)
    assert "-i key" not in str(secret.help)


def test_secret_inputs_are_never_taken_from_the_command_line_nor_repeated(tmp_path: Path) -> None:
    project = with_inputs(tmp_path, key={"secret": True, "type": "integer"})
    typed = wrong(project, "key=a-secret-value")
    assert "never given on the command line" in typed.message
    shown = [
        typed,
        wrong(project, RUNNER_INPUT_KEY="a-secret-value"),
        wrong(project, data={"key": "a-secret-value"}),
    ]
    for problem in shown:
        assert "a-secret-value" not in f"{problem.message} {problem.help}"


def test_secret_inputs_come_back_as_secrets(tmp_path: Path) -> None:
    project = with_inputs(tmp_path, key={"secret": True}, deep={"secret": True, "type": "object"})
    given = read(project, data={"deep": {"a": "b"}}, RUNNER_INPUT_KEY="a-secret-value")
    assert isinstance(given["key"], Secret)
    assert given["key"].reveal() == "a-secret-value"
    assert given["key"].label == "inputs.key"
    assert isinstance(given["deep"], Secret)


def test_partial_inputs_may_be_missing(tmp_path: Path) -> None:
    project = with_inputs(tmp_path, a={}, b={"default": 2})
    assert read_inputs(project.workflows["main"], [], None, {}, partial=True) == {"b": 2}


# --- plans


def test_a_plan_holds_no_secret_and_names_its_files_by_digest(tmp_path: Path) -> None:
    project = with_inputs(tmp_path, key={"secret": True}, n={"default": 1})
    plan = planned(project, input_file={"key": "a-secret-value"}, user="ann")
    assert isinstance(plan, Plan)
    assert (plan.workflow, plan.inputs, plan.user, plan.environment) == ("main", {"n": 1}, "ann", None)
    assert list(plan.documents) == ["workflows.d/main.yaml"]
    assert "a-secret-value" not in repr(plan)
    travels = json.dumps([plan.documents, plan.inputs, plan.user, plan.environment])
    assert "a-secret-value" not in travels
    assert planned(project, input_file={"key": "another value"}).digest == plan.digest
    changed = with_inputs(tmp_path, key={"secret": True}, n={"default": 2})
    assert planned(changed, input_file={"key": "x"}).digest != plan.digest


@pytest.mark.parametrize("user", ["..", "a/b", "", "-x", "a b", "ä", "a\n"])
def test_user_names_that_could_walk_a_path(user: str, tmp_path: Path) -> None:
    project = with_inputs(tmp_path)
    with pytest.raises(UsageError) as caught:
        resolve(project, "main", inputs={}, user=user)
    assert "user name" in caught.value.message


def test_a_personal_connection_needs_a_user(tmp_path: Path) -> None:
    connection = {
        "type": "bearer", "base_url": "https://x.test", "auth": {"token": "vault://secret/{{ user }}/x#t"}, "shared": False,
    }  # fmt: skip
    project = simple(tmp_path, [request("a")], connection=connection)
    with pytest.raises(UsageError) as caught:
        resolve(project, "main", inputs={}, user=None)
    assert caught.value.message == "the connection 'api' is personal: say as whom this runs"
    assert resolve(project, "main", inputs={}, user="ann").user == "ann"
    assert resolve(project, "main", inputs={}, user=None, partial=True).user is None


@pytest.mark.parametrize("name", ["main", "workflows.d/main.yaml", "main.yaml"])
def test_workflows_are_found_by_name_and_by_file(name: str, tmp_path: Path) -> None:
    assert find_workflow(with_inputs(tmp_path), name).name == "main"


def test_workflows_are_found_by_every_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = with_inputs(tmp_path)
    assert find_workflow(project, str(tmp_path / "workflows.d" / "main.yaml")).name == "main"
    for below, name in ((".", "./workflows.d/main.yaml"), ("workflows.d", "../workflows.d/main.yaml")):
        monkeypatch.chdir(tmp_path / below)
        assert find_workflow(project, name).name == "main"
    with pytest.raises(UsageError):
        find_workflow(project, "./workflows.d/main.yaml")


def test_an_unknown_workflow(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_workflow(with_inputs(tmp_path), "mian")
    assert (caught.value.message, caught.value.help) == ("no workflow 'mian'", "did you mean 'main'?")


# --- what is shown


def shown(project: Project, **options: Any) -> JsonObject:
    values = read_inputs(project.workflows["main"], [], options.pop("data", None), {}, partial=True)
    return describe(
        project, resolve(project, "main", inputs=values, user=options.pop("user", None), partial=True)
    )


def test_conditions_show_as_a_run_judges_them(tmp_path: Path) -> None:
    conditions = {
        "{{ inputs.text }}": False,  # the text `false`
        "{{ inputs.n }} ": True,
        "{{ '' }}": False,
        "{% if inputs.n > 5 %}true{% else %} False {% endif %}": False,
        "{{ inputs.n }}": True,
        "{{ inputs.list }}": False,
        "{{ inputs.list[3] }}": "‹cannot be rendered: 'inputs.list' has 0 items, no item 3›",
        "{{ run.id }}": KNOWN_LATER,
    }
    actions = [{"id": f"a{at}", "if": text, "wait": "1s"} for at, text in enumerate(conditions)]
    each = {"id": "each", "for_each": ["false", "no"], "if": "{{ item }}", "wait": "1s"}
    inputs = {"text": {"default": "false"}, "n": {"default": 2}, "list": {"default": []}}
    plan = shown(simple(tmp_path, [*actions, each], inputs=inputs))
    assert [action["if"] for action in plan["actions"][:-1]] == list(conditions.values())
    assert [item["if"] for item in plan["actions"][-1]["for_each"]["first"]] == [False, True]


def test_what_is_known_shows_and_what_is_not_has_a_placeholder(tmp_path: Path) -> None:
    actions: list[JsonObject] = [
        {"id": "now", "set": {"n": "{{ inputs.n + 1 }}"}},
        {"id": "later", "connection": "api", "request": {"path": "/a"}},
        {
            "id": "send",
            "connection": "api",
            "if": "{{ inputs.n > 5 }}",
            "request": {
                "method": "POST",
                "path": "/t/{{ actions.later.output.id }}/{{ inputs.word }}",
                "query": {"n": "{{ actions.now.output.n }}", "at": "{{ run.started_at }}"},
                "json": {
                    "secret": "{{ secrets.own }}",
                    "key": "Key {{ inputs.key }}",
                    "later": "{{ actions.later.output }}",
                    "given": "{{ inputs.given }}",
                    "run": "{{ run.workflow }}",
                },
            },
        },
        {"id": "maybe", "if": "{{ actions.later.status == 'succeeded' }}", "wait": "30s"},
        {"id": "stop", "if": False, "fail": "no {{ inputs.word }}"},
    ]
    project = simple(
        tmp_path,
        actions,
        url="https://api.example.com/v2/",
        connection={
            "type": "bearer",
            "auth": {"token": "vault://secret/app#token"},
            "headers": {"X-Version": "1", "X-Key": "vault://secret/app#key"},
        },
        inputs={
            "n": {"default": 2},
            "word": {"default": "a b"},
            "key": {"secret": True},
            "given": {"type": "string"},
        },
        secrets={"own": "vault://secret/own#t"},
        outputs={"n": "{{ actions.now.output.n }}", "id": "{{ actions.later.output.id }}"},
    )
    plan = shown(project, data={"key": "a-secret-value"})
    assert plan["format"] == "runner.d/plan/1"
    assert plan["inputs"] == {"n": 2, "word": "a b", "key": "‹secret inputs.key›", "given": KNOWN_LATER}
    now, later, send, maybe, stop = plan["actions"]
    assert now["set"] == {"n": 3}
    assert later["request"]["url"] == "https://api.example.com/v2/a"
    assert later["request"]["headers"] == {
        "X-Version": "1",
        "X-Key": "‹secret secret/app#key›",
        "Authorization": later["request"]["headers"]["Authorization"],
    }
    assert "‹secret secret/app#token›" in later["request"]["headers"]["Authorization"]
    assert send["if"] is False
    assert send["request"]["url"] == (
        f"https://api.example.com/v2/t/{KNOWN_LATER}/a%20b?n=3&at={KNOWN_LATER}"
    )
    assert send["request"]["body"] == {
        "secret": "‹secret secret/own#t›",
        "key": "Key ‹secret inputs.key›",
        "later": KNOWN_LATER,
        "given": KNOWN_LATER,
        "run": "main",
    }
    assert (maybe["if"], maybe["wait"]) == (KNOWN_LATER, "30s")
    assert (stop["if"], stop["fail"]) == (False, "no a b")
    assert plan["outputs"] == {"n": 3, "id": KNOWN_LATER}
    places = {
        (item["reference"], item.get("connection"), item["field"], item.get("host"))
        for item in plan["secrets"]
    }
    assert places == {
        ("secret/app#token", "api", "auth.token", "api.example.com"),
        ("secret/app#key", "api", "headers.X-Key", "api.example.com"),
        ("secret/own#t", None, "secrets.own", None),
    }
    assert "a-secret-value" not in json.dumps(plan)


def test_a_plan_shows_the_host_that_a_run_would_ask(tmp_path: Path) -> None:
    """The variables of a workflow do not move a connection, neither in the run nor in what reviewers see of it."""
    project = make(
        tmp_path,
        {
            "runner.yaml": {"vars": {"host": "real.example.com", "v": "1"}},
            "connections.d/api.yaml": {
                "type": "bearer", "base_url": "https://{{ vars.host }}", "shared": True,
                "auth": {"token": "vault://secret/app#t"}, "headers": {"X-V": "{{ vars.v }}"}, "query": {"v": "{{ vars.v }}"},
            },
            "workflows.d/main.yaml": {
                "vars": {"host": "harmless.example.com", "v": "{{ run.id }}"},
                "actions": [request("a", query={"own": "{{ vars.host }}"})],
            },
        },
    )  # fmt: skip
    plan = shown(project)
    sent = plan["actions"][0]["request"]
    assert sent["url"] == "https://real.example.com/?v=1&own=harmless.example.com"
    assert sent["headers"]["X-V"] == "1"
    assert plan["secrets"][0]["host"] == "real.example.com"


def test_what_cannot_be_rendered_says_so_in_its_place(tmp_path: Path) -> None:
    actions = [request("a", "POST", json={"x": "{{ inputs.d.missing }}", "y": "{{ inputs.n }}"})]
    project = simple(tmp_path, actions, inputs={"d": {"default": {}}, "n": {"default": 1}})
    body = shown(project)["actions"][0]["request"]["body"]
    assert body["x"].startswith("‹cannot be rendered: ")
    assert body["y"] == 1


def test_order_items_repetitions_and_calls(tmp_path: Path) -> None:
    sub = {
        "inputs": {"n": {"type": "integer"}, "key": {"secret": True}, "word": {"default": "w"}},
        "secrets": {"own": "vault://secret/sub#t"},
        "actions": [
            {
                "id": "send",
                "request": {
                    "url": "https://example.com/{{ inputs.n }}/{{ inputs.word }}",
                    "headers": {"X-Key": "{{ inputs.key }}", "X-Own": "{{ secrets.own }}"},
                },
            }
        ],
    }
    ask = {"id": "ask", "request": {"url": "https://example.com/{{ item }}"}}
    main = {
        "inputs": {"sites": {"default": {"eu": 1, "us": 2}}},
        "secrets": {"key": "vault://secret/main#k"},
        "actions": [
            {**ask, "for_each": ["a", "b", "c", "d"], "concurrency": 2, "if": "{{ item != 'b' }}"},
            {**ask, "id": "more", "needs": ["ask"], "for_each": "{{ actions.ask.output }}"},
            {
                "id": "call",
                "needs": [],
                "for_each": "{{ inputs.sites }}",
                "workflow": "sub",
                "with": {"n": "{{ item.value }}", "key": "{{ secrets.key }}"},
                "repeat": {"until": "{{ response.body.done | default(true) }}", "at_most": 3},
            },
        ],
    }
    project = make(tmp_path, {"workflows.d/main.yaml": main, "workflows.d/sub.yaml": sub})
    ask_plan, more, call = shown(project)["actions"]
    items = ask_plan["for_each"]
    assert (items["count"], items["concurrency"], len(items["first"])) == (4, 2, 3)
    assert [(item["item"], item["if"], item["request"]["url"][-1]) for item in items["first"]] == [
        ("a", True, "a"),
        ("b", False, "b"),
        ("c", True, "c"),
    ]
    assert ask_plan["request"]["url"] == f"https://example.com/{KNOWN_LATER}"
    assert more["for_each"] == {"concurrency": 1, "over": "{{ actions.ask.output }}", "count": KNOWN_LATER}
    assert (more["needs"], call["needs"]) == (["ask"], [])
    assert call["repeat"] == {
        "until": "{{ response.body.done | default(true) }}",
        "every": "10s",
        "at_most": 3,
    }
    first, second = (item["workflow"] for item in call["for_each"]["first"])
    assert first["with"] == {"n": 1, "key": "‹secret secret/main#k›"}
    request = second["actions"][0]["request"]
    assert request["url"] == "https://example.com/2/w"
    assert request["headers"] == {"X-Key": "‹secret inputs.key›", "X-Own": "‹secret secret/sub#t›"}
    assert [item["reference"] for item in shown(project)["secrets"]] == ["secret/main#k", "secret/sub#t"]
