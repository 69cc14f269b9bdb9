"""What is recorded of a request."""

from pathlib import Path

from runner.plan import describe
from tests.projects import planned, request, run, simple
from tests.servers.http import Server


def test_the_record_shows_the_request(api: Server, tmp_path: Path) -> None:
    project = simple(
        tmp_path,
        [
            request(
                "one",
                "PUT",
                "/a/{{ inputs.n }}",
                query={"q": ["x y", 1]},
                headers={"X-A": "b"},
                json={"n": "{{ inputs.n }}"},
            )
        ],
        url=api.url,
        inputs={"n": {"default": "p/q"}},
    )
    shown = run(project).action("one").record["request"]
    assert shown == {
        "method": "PUT",
        "url": f"{api.url}/a/p%2Fq?q=x%20y&q=1",
        "headers": {"X-A": "b", "Content-Type": "application/json"},
        "body": {"n": "p/q"},
    }


def test_a_plan_shows_what_a_run_records(api: Server, tmp_path: Path) -> None:
    actions = [
        request(
            "a",
            "PUT",
            "/x/{{ inputs.n }}",
            query={"q": ["a b", 1], "no": None},
            headers={"X-A": "{{ secrets.own }}"},
            json={"k": "{{ inputs.key }}", "n": "{{ inputs.n }}"},
        ),
        request("b", "POST", "/f?x=1", form={"a": "1 2", "k": "{{ secrets.own }}"}),
        {"id": "c", "request": {"url": f"{api.url}/u", "query": {"k": "{{ secrets.own }}"}}},
    ]
    project = simple(
        tmp_path, actions, url=api.url, inputs={"n": {"default": "p/q"}, "key": {"secret": True}}, secrets={"own": "env://OWN"},
        connection={"headers": {"X-B": "1"}, "query": {"b": 2}},
    )  # fmt: skip
    environ = {"OWN": "an-own-secret", "RUNNER_INPUT_KEY": "a-secret-input"}
    ran = run(project, environ=environ)
    assert ran.result.exit_code == 0
    plan = describe(project, planned(project, environ=environ))
    for described, action in zip(plan["actions"], ran.result.actions, strict=True):
        wanted, recorded = described["request"], action.record["request"]
        assert (wanted["method"], wanted["url"], wanted.get("body")) == (
            recorded["method"],
            recorded["url"],
            recorded.get("body"),
        )
        assert wanted["headers"].items() <= recorded["headers"].items()
