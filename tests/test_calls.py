"""Calls of workflows: typed inputs in, outputs out, nothing else across; their own time, cleaning up and secrets."""

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from runner import calls
from runner.backends import memory
from runner.engine import Interpreter
from runner.plan import describe
from runner.result import Status
from runner.scope import RunStoppedError
from runner.session import Session
from runner.vault_policy import uses
from runner.watching import Stop
from tests.interpreter.script import RUN, Script, drive, failed, ok, reading, step
from tests.projects import Watched, make, planned, request, run
from tests.servers.http import Request, Response, Server, reply
from tests.servers.listeners import unanswered_port

JsonObject = dict[str, Any]
SECRET = "caller-secret-4711"


def call(id: str, workflow: str, given: JsonObject | None = None, **more: Any) -> JsonObject:
    return {"id": id, "workflow": workflow, **({"with": given} if given else {}), **more}


def interpreted(root: Path, files: dict[str, JsonObject], answers: JsonObject | None = None) -> Any:
    project = make(root, {f"workflows.d/{name}.yaml": value for name, value in files.items()})
    script = Script(answers or {})
    interpreter = Interpreter(project, project.workflows["main"], planned(project), dict(RUN), script)
    return drive(interpreter.interpret()), script


INNER = {
    "inputs": {"n": {"type": "integer"}, "word": {"type": "string", "default": "none"}},
    "vars": {"own": "{{ inputs.n + 1 }}"},
    "actions": [step("a", **{"if": "{{ vars.own > 0 }}"}), reading("b", "{{ actions.a.output }}")],
    "finally": [step("clean")],
    "outputs": {"sum": "{{ vars.own }}", "word": "{{ inputs.word }}", "b": "{{ actions.b.output }}"},
}


def test_inputs_go_in_outputs_come_out_and_nothing_else_crosses(tmp_path: Path) -> None:
    main = {
        "inputs": {"x": {"default": 3}},
        "vars": {"outer": "secretive"},
        "actions": [step("a"), call("sub", "inner", {"n": "{{ inputs.x * 2 }}"})],
        "outputs": {"all": "{{ actions.sub.output }}"},
    }
    outcome, script = interpreted(tmp_path, {"main": main, "inner": INNER})
    assert script.log == ["a", "sub/a", "sub/b", "cleanup:sub/finally/clean"]
    assert outcome.outputs == {"all": {"sum": 7, "word": "none", "b": "sub/b"}}
    ref = script.refs["sub/b"]
    assert (ref["workflow"], ref["action"], ref["key"]) == ("inner", "b", "sub/b")
    assert ref["inputs"] == {"n": 6, "word": "none"}
    assert ref["vars"] == {"own": 7}
    assert ref["actions"] == {"a": {"status": "succeeded", "output": "sub/a"}}
    assert ref["call"] == {"key": "sub", "depth": 1, "handled": False}
    record = outcome.results[1].record
    assert record["workflow"] == "inner"
    assert [item["id"] for item in record["actions"]] == ["a", "b", "clean"]


def test_calls_for_each_item_are_told_apart_by_their_keys(tmp_path: Path) -> None:
    main = {
        "actions": [call("sub", "inner", {"n": "{{ item }}"}, for_each=[1, 2], concurrency=2)],
        "outputs": {"all": "{{ actions.sub.output | map(attribute='sum') | list }}"},
    }
    outcome, script = interpreted(tmp_path, {"main": main, "inner": INNER})
    assert outcome.outputs == {"all": [2, 3]}
    assert set(script.log) == {
        f"{stage}sub[{index}]/{key}"
        for index in (0, 1)
        for stage, key in (("", "a"), ("", "b"), ("cleanup:", "finally/clean"))
    }


def test_a_call_is_repeated_until_its_outputs_say_so(tmp_path: Path) -> None:
    repeat = {"until": "{{ response.body.b == 'done' }}", "every": "1s", "at_most": 5}
    main = {"actions": [call("sub", "inner", {"n": 1}, repeat=repeat)]}
    outcome, script = interpreted(tmp_path, {"main": main, "inner": INNER}, {"sub#2/b": ok("done")})
    assert outcome.status is Status.SUCCEEDED
    assert [key for key in script.log if "sleep" in key or key.endswith("/b")] == [
        "sub#1/b",
        "sub#1#sleep 1.0",
        "sub#2/b",
    ]


def test_a_failure_inside_fails_the_call_after_its_cleaning_up(tmp_path: Path) -> None:
    main = {"actions": [call("sub", "inner", {"n": 1}), step("next")]}
    outcome, script = interpreted(tmp_path, {"main": main, "inner": INNER}, {"sub/a": failed("no")})
    assert script.log == ["sub/a", "cleanup:sub/finally/clean"]
    assert outcome.status is Status.FAILED
    assert outcome.error.message == "the workflow 'inner' failed: no"
    assert script.refs["sub/a"]["handled"] is False

    main = {"actions": [call("sub", "inner", {"n": 1}, on_error="continue"), step("next")]}
    outcome, script = interpreted(tmp_path / "b", {"main": main, "inner": INNER}, {"sub/a": failed("no")})
    assert script.log[-1] == "next"
    assert outcome.status is Status.SUCCEEDED
    assert script.refs["sub/a"]["handled"] is True  # somebody goes on after it: a backend records it


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n": "{{ inputs.x }}"}, "the input 'n' of the workflow 'inner' must be a whole number"),
        ({"n": "{{ inputs.y.z }}"}, "'inputs.y' has no 'z'"),
    ],
)
def test_inputs_are_checked_when_they_are_known(given: JsonObject, message: str, tmp_path: Path) -> None:
    main = {
        "inputs": {"x": {"default": "text"}, "y": {"default": {}}},
        "actions": [call("sub", "inner", given)],
    }
    outcome, script = interpreted(tmp_path, {"main": main, "inner": INNER})
    assert script.log == []
    assert message in outcome.error.message


def test_the_own_time_of_a_called_workflow_is_a_failure_and_that_of_the_run_a_stop(tmp_path: Path) -> None:
    inner = {**INNER, "timeout": "5s"}
    main = {"actions": [call("sub", "inner", {"n": 1}, on_error="continue"), step("next")]}
    files: dict[str, JsonObject] = {"main": main, "inner": inner}
    outcome, script = interpreted(tmp_path, files, {"sub/a": RunStoppedError(Status.TIMED_OUT, depth=1)})
    assert script.log == ["sub/a", "cleanup:sub/finally/clean", "next"]
    assert outcome.status is Status.SUCCEEDED
    assert "it took longer than its timeout" in outcome.results[0].error.message
    assert "workflows.d/inner.yaml" in outcome.results[0].error.help

    outcome, script = interpreted(tmp_path / "b", files, {"sub/a": RunStoppedError(Status.TIMED_OUT)})
    assert script.log == ["sub/a", "cleanup:sub/finally/clean"]
    assert outcome.status is Status.TIMED_OUT
    assert [item.status.value for item in outcome.results] == ["failed", "skipped"]


def test_of_two_stops_at_once_that_of_the_run_counts(tmp_path: Path) -> None:
    inner: JsonObject = {"timeout": "5s", "actions": [step("a"), step("b", needs=[])]}
    main = {"actions": [call("sub", "inner", on_error="continue"), step("next")]}
    own, whole = RunStoppedError(Status.TIMED_OUT, depth=1), RunStoppedError(Status.TERMINATED)
    for number, (a, b) in enumerate([(own, whole), (whole, own)]):
        answers = {"sub/a": a, "sub/b": b}
        outcome, script = interpreted(tmp_path / str(number), {"main": main, "inner": inner}, answers)
        assert outcome.status is Status.TERMINATED
        assert "next" not in script.log


@pytest.mark.parametrize(("limit", "fits"), [(3, True), (2, False)])
def test_calls_may_not_be_too_deep(limit: int, fits: bool, tmp_path: Path) -> None:
    names = ["main", "w1", "w2", "w3"]
    limits = {"limits": {"nested_calls": limit}}
    files: dict[str, JsonObject] = {
        name: {**limits, "actions": [call("c", inner)]} for name, inner in itertools.pairwise(names)
    }
    files["w3"] = {"actions": [step("a")]}
    outcome, script = interpreted(tmp_path, files)
    assert script.log == (["c/c/c/a"] if fits else [])
    if not fits:
        assert "more than 2 calls deep" in outcome.error.message
        assert "`limits.nested_calls`" in outcome.error.help


# --- on a real server


def three_pages(asked: Request) -> Response:
    at = int(asked.parameter("after") or 0)
    return reply({"items": [at, at], "next": str(at + 1) if at < 2 else None})


@pytest.mark.parametrize(
    ("narrow", "message"), [({"pages": 2}, "more than 2 pages"), ({"items": 3}, "more than 3 items")]
)
def test_pages_of_a_called_workflow_are_within_its_own_limits(
    narrow: JsonObject, message: str, tmp_path: Path
) -> None:
    paginate = {
        "style": "cursor",
        "param": "after",
        "next": "{{ response.body.next }}",
        "items": "{{ response.body['items'] }}",
    }
    with Server({"GET /x": three_pages}) as server:
        for callers, own in (({}, narrow), (narrow, {})):
            inner = {"limits": own, "actions": [request("get", path="/x", paginate=paginate)]}
            main = {"limits": callers, "actions": [call("c", "inner")]}
            api = {"type": "none", "base_url": server.url, "shared": True}
            files = {
                "connections.d/api.yaml": api,
                "workflows.d/main.yaml": main,
                "workflows.d/inner.yaml": inner,
            }
            ran = run(make(tmp_path / str(bool(own)), files))
            if own:
                assert message in ran.failure[1]
            else:
                assert ran.result.status is Status.SUCCEEDED


def test_a_called_workflow_connects_within_its_own_limit(tmp_path: Path) -> None:
    inner = {"limits": {"connect": "40ms"}, "actions": [request("get", more={"retry": {"attempts": 1}})]}
    with unanswered_port() as port:
        api = {"type": "none", "base_url": f"http://127.0.0.1:{port}", "shared": True}
        main = {"actions": [call("c", "inner")]}
        files = {
            "connections.d/api.yaml": api,
            "workflows.d/main.yaml": main,
            "workflows.d/inner.yaml": inner,
        }
        ran = run(make(tmp_path, files))
    assert ran.failure == (
        "timeout",
        f"the workflow 'inner' failed: no connection to 127.0.0.1:{port} within 40ms",
    )


LOGIN = {
    "inputs": {"key": {"secret": True}, "n": {"type": "integer"}},
    "actions": [
        {
            "id": "get",
            "connection": "api",
            "sensitive": True,
            "request": {"method": "POST", "path": "/echo", "json": {"key": "Bearer {{ inputs.key }}"}},
            "output": {"token": "{{ (response.body.body | from_json).key }}-{{ inputs.n }}"},
        }
    ],
    "outputs": {"token": "{{ actions.get.output.token }}"},
}


def secretive(root: Path, url: str, **more: Any) -> Any:
    use: JsonObject = {"id": "use", "connection": "api", "output": "{{ response.status }}"}
    use["request"] = {"method": "POST", "path": "/echo", "json": {"all": "{{ actions.login.output }}"}}
    main = {
        "secrets": {"key": "env://KEY"},
        "actions": [
            call("login", "login", {"key": "{{ secrets.key }}", "n": 1}, sensitive=True, **more),
            use,
        ],
        "outputs": {"token": "{{ actions.login.output }}", "use": "{{ actions.use.output }}"},
    }
    return make(
        root,
        {
            "connections.d/api.yaml": {"type": "none", "base_url": url},
            "workflows.d/login.yaml": LOGIN,
            "workflows.d/main.yaml": main,
        },
    )


@pytest.mark.parametrize(
    ("more", "sent"),
    [
        ({}, {"token": f"Bearer {SECRET}-1"}),
        (
            {"for_each": [1, 2], "if": "{{ item == 2 }}"},
            [None, {"token": f"Bearer {SECRET}-1"}],
        ),
        (
            {"repeat": {"until": "{{ response.body.token is string }}", "every": "1ms"}},
            {"token": f"Bearer {SECRET}-1"},
        ),
    ],
)
def test_a_secret_goes_in_and_comes_out_and_shows_nowhere(
    more: JsonObject, sent: Any, api: Server, tmp_path: Path
) -> None:
    project = secretive(tmp_path, api.url, **more)
    ran = run(project, environ={"KEY": SECRET})
    assert ran.result.status is Status.SUCCEEDED, ran.result.error
    assert [item.json() for item in api.requests] == [{"key": f"Bearer {SECRET}"}, {"all": sent}]
    assert ran.result.outputs == {"token": "***", "use": 200}
    written = json.dumps(ran.result.to_json(), ensure_ascii=False)
    assert SECRET not in written
    assert "‹secret inputs.key›" in written
    assert SECRET not in json.dumps(describe(project, planned(project)))


def test_an_unmarked_call_that_gives_a_secret_fails(api: Server, tmp_path: Path) -> None:
    project = secretive(tmp_path, api.url)
    main = project.workflows["main"]
    # The checks refuse this: here it is made after them.
    unmarked = [type(main.actions[0])(**{**_fields(main.actions[0]), "sensitive": False})]
    project.workflows["main"] = type(main)(**{**_fields(main), "actions": tuple(unmarked), "outputs": {}})
    ran = run(project, environ={"KEY": SECRET})
    assert ran.failure[0] == "secret-in-output"
    assert SECRET not in json.dumps(ran.result.to_json())


def _fields(value: Any) -> JsonObject:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def test_what_becomes_of_a_secret_on_its_way_is_searched_for(api: Server, tmp_path: Path) -> None:
    project = make(
        tmp_path,
        {
            "workflows.d/main.yaml": {
                "secrets": {"key": "env://KEY"},
                "actions": [call("sub", "sub", {"key": "{{ secrets.key | upper | replace('-', '+') }}"})],
            },
            "workflows.d/sub.yaml": {
                "inputs": {"key": {"secret": True}},
                "actions": [
                    {
                        "id": "tell",
                        "request": {
                            "method": "POST",
                            "url": f"{api.url}/echo",
                            "json": {"k": "{{ inputs.key }}"},
                        },
                    }
                ],
            },
        },
    )
    ran = run(project, environ={"KEY": SECRET})
    assert api.requests[0].json() == {"k": SECRET.upper().replace("-", "+")}
    assert ran.failure[0] == "secret-in-output"
    assert SECRET.upper().replace("-", "+") not in json.dumps(ran.result.to_json())


def test_what_called_workflows_need_is_collected(api: Server, tmp_path: Path) -> None:
    project = make(
        tmp_path,
        {
            "connections.d/one.yaml": {
                "type": "bearer",
                "base_url": api.url,
                "shared": True,
                "auth": {"token": "vault://secret/one#t"},
                "test": {"path": "/"},
            },
            "workflows.d/main.yaml": {"actions": [call("a", "mid")]},
            "workflows.d/mid.yaml": {"actions": [call("b", "low")]},
            "workflows.d/low.yaml": {
                "secrets": {"own": "vault://secret/low#x"},
                "actions": [
                    {"id": "c", "connection": "one", "request": {"path": "/x"}},
                    {"id": "d", "request": {"url": api.url, "headers": {"X-Key": "{{ secrets.own }}"}}},
                ],
            },
        },
    )
    main = project.workflows["main"]
    assert [each.name for each in calls.reached(project, main)] == ["main", "mid", "low"]
    assert calls.connections(project, main) == ("one",)
    assert [use.ref.text for use in uses(project, [main])] == ["vault://secret/one#t", "vault://secret/low#x"]
    plan = planned(project)
    described = describe(project, plan)
    assert [item["reference"] for item in described["secrets"]] == ["secret/one#t", "secret/low#x"]
    low = described["actions"][0]["workflow"]["actions"][0]["workflow"]
    assert [action["id"] for action in low["actions"]] == ["c", "d"]
    assert low["actions"][0]["request"]["url"] == f"{api.url}/x"


def test_the_time_of_a_called_workflow_in_this_process(api: Server, tmp_path: Path) -> None:
    project = make(
        tmp_path,
        {
            "workflows.d/main.yaml": {
                "actions": [
                    call("slow", "slow", on_error="continue"),
                    {"id": "after", "set": {"status": "{{ actions.slow.status }}"}},
                ],
                "outputs": {"status": "{{ actions.after.output.status }}"},
            },
            "workflows.d/slow.yaml": {
                "timeout": "100ms",
                "actions": [{"id": "nap", "wait": "10m"}],
                "finally": [{"id": "clean", "set": {"x": 1}}],
            },
        },
    )
    ran = run(project, watched=Watched())
    assert ran.result.outputs == {"status": "failed"}
    assert ran.result.status is Status.SUCCEEDED
    inner = ran.action("slow").record["actions"]
    assert [(item["id"], item["status"]) for item in inner] == [("nap", "failed"), ("clean", "succeeded")]


def test_a_deadline_is_told_as_that_of_the_call_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(*_: Any) -> JsonObject:
        await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setattr(memory, "perform", slow)

    async def test() -> None:
        now = asyncio.get_running_loop().time()
        session: Any = Session.__new__(Session)
        scope = memory.MemoryScope(session, Watched(), Stop(), now + 60)
        outer = scope.called("a", 0.05)
        inner = outer.called("a/b", 30)
        own = scope.called("c", 30).called("c/d", 0.01)
        for stopped, depth in ((inner, 1), (own, 2), (inner.called("a/b/c", None), 1)):
            with pytest.raises(RunStoppedError) as caught:
                await stopped.step("key", {"handled": False})
            assert (caught.value.status, caught.value.depth) == (Status.TIMED_OUT, depth)
            with pytest.raises(RunStoppedError) as caught:
                await stopped.sleep("key", 5)
            assert caught.value.depth == depth
        both = scope.called("e", 0.02).called("e/f", 0.01)
        await asyncio.sleep(0.05)  # both times are up: that of the outer call counts
        with pytest.raises(RunStoppedError) as caught:
            await both.step("key", {"handled": False})
        assert caught.value.depth == 1

    asyncio.run(test())
