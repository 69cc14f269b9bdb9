"""The policy of a project at run time: what the checks cannot see is refused before a byte is sent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.errors import SecretsError
from runner.project import load
from tests.projects import Ran, request, run, simple
from tests.servers.faults import faults
from tests.servers.http import Server, reply

JsonObject = dict[str, Any]


@pytest.fixture
def api() -> Iterator[Server]:
    with faults() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Server]:
    with Server({"* /**": lambda _: reply({})}) as server:
        yield server


def ran(root: Path, url: str, policy: str, action: JsonObject, **more: Any) -> Ran:
    """Run a project to which the policy came after it was checked."""
    simple(root, [action], url=url, **more)
    (root / "runner.yaml").write_text(f"policy: {policy}\n")
    return run(load(root), environ={"TOKEN": "the-secret-token"})


@pytest.mark.parametrize(
    ("policy", "clause"),
    [
        ("{hosts: [api.example.com]}", "`policy.hosts`"),
        ("{deny_methods: [DELETE]}", "`policy.deny_methods`"),
        ("{require_https: true}", "`policy.require_https`"),
    ],
)
def test_what_the_policy_does_not_permit_is_not_sent(
    policy: str, clause: str, api: Server, tmp_path: Path
) -> None:
    done = ran(tmp_path, api.url, policy, request("one", "DELETE"))
    assert done.failure[0] == "not-allowed"
    assert "the policy of the project does not permit" in done.failure[1]
    assert done.result.error is not None
    assert clause in str(done.result.error.help)
    assert api.connections == 0
    assert len(done.action("one").record["attempts"]) == 1


def test_a_redirect_is_held_to_the_policy(api: Server, other: Server, tmp_path: Path) -> None:
    action = request("one", path=f"/redirect/302?to={other.url}/x", redirects="follow")
    done = ran(tmp_path, api.url, f"{{hosts: ['127.0.0.1:{api.port}']}}", action)
    assert done.failure[0] == "not-allowed"
    assert f"127.0.0.1:{other.port}" in done.failure[1]
    assert (api.count(), other.connections) == (1, 0)


def test_a_permitted_host(api: Server, tmp_path: Path) -> None:
    done = ran(tmp_path, api.url, "{hosts: ['127.*']}", request("one", path="/body/json"))
    assert done.result.exit_code == 0


@pytest.mark.parametrize(("most", "attempts", "sent"), [(2, 5, 2), (5, 2, 2), (1, 3, 1)])
def test_no_more_attempts_than_the_policy_permits(
    most: int, attempts: int, sent: int, api: Server, tmp_path: Path
) -> None:
    retry = {"attempts": attempts, "backoff": {"first": "1ms"}}
    ran(
        tmp_path,
        api.url,
        f"{{max_attempts: {most}}}",
        request("one", path="/status/503", more={"retry": retry}),
    )
    assert api.count() == sent


def test_a_vault_path_that_a_connection_may_not_name(api: Server, tmp_path: Path) -> None:
    connection = {"type": "bearer", "auth": {"token": "vault://secret/finance/app#token"}}
    with pytest.raises(SecretsError) as caught:
        ran(
            tmp_path, api.url, "{secrets: {api: ['secret/support/*']}}", request("one"), connection=connection
        )
    (problem,) = caught.value.problems
    assert problem.reference == "secret/finance/app#token"
    assert "does not permit 'api'" in problem.message
    assert problem.spans[0].path == "connections.d/api.yaml"
    assert api.connections == 0
