"""The policy: what its patterns permit, and that a run refuses what they do not before a byte is sent."""

from pathlib import Path
from typing import Any

import pytest

from runner.errors import SecretsError
from runner.policy import Policy, bind
from tests.projects import make, request, run
from tests.servers.http import Request, Response, Server, reply


@pytest.mark.parametrize(
    ("pattern", "host", "fits"),
    [
        ("a.test", "a.test:443", True),
        ("a.test", "A.TEST:8443", True),
        ("A.Test", "a.test", True),
        ("a.test", "a.test.:443", True),
        ("a.test", "b.a.test:443", False),
        ("a.test", "a.test.evil:443", False),
        ("*.a.test", "b.a.test:443", True),
        ("*.a.test", "c.b.a.test:443", True),
        ("*.a.test", "a.test:443", False),
        ("*.a.test", "xa.test:443", False),
        ("a.test:443", "a.test:443", True),
        ("a.test:443", "a.test:444", False),
        ("a.test:*", "a.test:444", True),
        ("*", "anything:1", True),
        ("*:443", "anything:443", True),
        ("*:443", "anything:80", False),
        ("[::1]", "[::1]:8080", True),
        ("[::1]:8080", "[::1]:8080", True),
        ("[::1]:8080", "[::1]:8081", False),
        ("[::1]", "1:80", False),
        ("::1", "[::1]:80", True),
        ("127.0.0.1", "127.0.0.1:9", True),
    ],
)
def test_patterns_of_hosts(pattern: str, host: str, fits: bool) -> None:
    assert Policy(hosts=(pattern,)).permits_host(host) is fits


def test_no_clause_permits_everything_and_an_empty_one_nothing() -> None:
    assert bind({}) == Policy()
    assert Policy().permits_host("a.test")
    assert not bind({"hosts": []}).permits_host("a.test")
    assert Policy().permits_secret("c", "secret/a")
    assert not bind({"secrets": {}}).permits_secret("c", "secret/a")


@pytest.mark.parametrize(
    ("connection", "path", "fits"),
    [
        ("eu/desk", "secret/support/a", True),
        ("eu/desk", "secret/support/a/b", True),
        ("eu/desk", "secret/support", False),
        ("us/desk", "secret/support/a", False),
        ("us/desk", "secret/shared", True),
        ("eu/desk", "secret/shared", True),
        ("workflow:w", "secret/support/a", False),
    ],
)
def test_patterns_of_secrets(connection: str, path: str, fits: bool) -> None:
    policy = bind({"secrets": {"eu/*": ["secret/support/*"], "*/desk": ["secret/shared"]}})
    assert policy.permits_secret(connection, path) is fits


def project(root: Path, policy: dict[str, Any], url: str, actions: list[Any], **connection: Any) -> Any:
    return make(
        root,
        {
            "runner.yaml": {"policy": policy},
            "connections.d/api.yaml": {"type": "none", "base_url": url, "shared": True, **connection},
            "workflows.d/main.yaml": {
                "inputs": {"host": {"type": "string", "default": ""}},
                "actions": actions,
            },
        },
    )


def moved(to: str) -> Any:
    def answer(_: Request) -> Response:
        return Response(302, b"", {"Location": to})

    return answer


def test_a_redirect_to_a_host_outside_the_policy_is_refused_before_a_byte_is_sent(tmp_path: Path) -> None:
    with Server({"GET /in": lambda _: reply({"inside": True})}) as other:
        outside = other.url.replace("127.0.0.1", "localhost") + "/in"
        with Server({"GET /out": moved(outside)}) as server:
            actions = [request("one", path="/out", redirects="follow")]
            ran = run(project(tmp_path / "a", {"hosts": ["127.0.0.1"]}, server.url, actions))
            port = other.url.rpartition(":")[2]
            assert ran.failure == (
                "not-allowed",
                f"the policy of the project does not permit a request to localhost:{port}",
            )
            assert ran.result.error is not None
            assert ran.result.error.help == "`policy.hosts` in runner.yaml says so"
            assert (server.count(), other.count(), other.connections) == (1, 0, 0)
            allowed = project(tmp_path / "b", {"hosts": ["127.0.0.1", "localhost"]}, server.url, actions)
            assert run(allowed).action("one").output == {"inside": True}
            assert other.count() == 1


def test_a_host_that_an_input_names_is_refused_before_a_byte_is_sent(tmp_path: Path) -> None:
    with Server({"GET /": lambda _: reply({})}) as server:
        place = server.url.removeprefix("http://")
        actions = [{"id": "one", "request": {"url": "http://{{ inputs.host }}/"}}]
        made = project(tmp_path, {"hosts": ["*.example.com"]}, "https://a.example.com", actions)
        ran = run(made, inputs=[f"host={place}"])
        assert ran.failure == (
            "not-allowed",
            f"the policy of the project does not permit a request to {place}",
        )
        assert server.connections == 0


def test_plain_http_is_refused_also_to_this_machine(tmp_path: Path) -> None:
    with Server({"GET /": lambda _: reply({})}) as server:
        place = server.url.removeprefix("http://")
        actions = [{"id": "one", "request": {"url": "{{ inputs.host }}/"}}]
        made = project(tmp_path, {"require_https": True}, "https://a.example.com", actions)
        ran = run(made, inputs=[f"host={server.url}"])
        assert ran.failure == (
            "not-allowed",
            f"the policy of the project does not permit plain http to {place}",
        )
        assert server.connections == 0


def test_attempts_are_bounded(tmp_path: Path) -> None:
    with Server({"GET /": lambda _: Response(503, b"", {})}) as server:
        retry = {"on": [503], "backoff": {"first": "1ms", "limit": "1ms"}}
        made = project(tmp_path, {"max_attempts": 2}, server.url, [request("one", more={"retry": retry})])
        assert run(made).failure[0] == "unexpected-status"
        assert server.count() == 2


def test_a_secret_that_the_policy_does_not_give_is_not_read(tmp_path: Path) -> None:
    """The environment's variable makes the path another one than review could know."""
    files: dict[str, Any] = {
        "runner.yaml": {
            "policy": {"secrets": {"api": ["secret/support/*"]}},
            "vault": {"address": "http://127.0.0.1:9"},
            "environments": {"dev": {"vars": {"team": "billing"}}},
        },
        "connections.d/api.yaml": {
            "type": "bearer",
            "base_url": "https://a.test",
            "shared": True,
            "auth": {"token": "vault://secret/{{ vars.team }}/a#b"},
        },
        "workflows.d/main.yaml": {"actions": [request("one")]},
    }
    made = make(tmp_path, files)  # without an environment nothing is known of `vars.team`
    made.vars = {"team": "billing"}
    with pytest.raises(SecretsError) as caught:
        run(made)
    assert [problem.message for problem in caught.value.problems] == [
        "the policy of the project does not permit 'api' to name this path"
    ]
