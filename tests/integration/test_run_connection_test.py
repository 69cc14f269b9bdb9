"""`connections test` against real servers: each classification, and what it says."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.connection_test import send_tests
from runner.project import Project
from runner.sensitive import Redactor
from tests.canary import Search
from tests.integration.vault_workspace import Workspace
from tests.projects import finished, make
from tests.servers.certificates import Authority
from tests.servers.faults import faults
from tests.servers.http import Server, reply
from tests.servers.listeners import refused_port

JsonObject = dict[str, Any]
TOKEN = "the-secret-token"


def connection(url: str, path: str | None = None, **more: Any) -> JsonObject:
    made: JsonObject = {"type": "bearer", "base_url": url, "shared": True, "auth": {"token": "env://TOKEN"}}
    return {**made, **({"test": {"path": path}} if path else {}), **more}


def project(root: Path, **connections: JsonObject) -> Project:
    return make(root, {f"connections.d/{name}.yaml": item for name, item in connections.items()})


def outcomes(
    made: Project,
    *names: str,
    environ: Mapping[str, str] | None = None,
    user: str | None = None,
    redactor: Redactor | None = None,
) -> list[JsonObject]:
    warnings: list[str] = []
    results: list[JsonObject] = finished(
        send_tests(
            made,
            names or sorted(made.connections),
            environ={"TOKEN": TOKEN} if environ is None else environ,
            redactor=redactor or Redactor(),
            warn=warnings.append,
            user=user,
        )
    )
    assert Search([TOKEN]).leaks(json.dumps(results), *warnings) == []
    return results


@pytest.mark.parametrize(
    ("path", "classification", "part"),
    [
        (f"/bearer/{TOKEN}", "ok", None),
        ("/bearer/another", "unauthorized", "401"),
        ("/status/403", "forbidden", "403"),
        ("/status/407", "misconfigured", "407"),
        ("/status/429", "rate limited", "429"),
        ("/retry-after/429/long/0", "rate limited", "429"),
        ("/retry-after/403/long/0", "forbidden", "403"),  # nothing says that its 403 may be a rate limit
        ("/status/404", "unexpected", "404"),
        ("/status/500", "unexpected", "500"),
        ("/body/not-json", "unexpected", "JSON"),
        ("/reset", "unreachable", "closed the connection"),
        ("/redirect/302?to=http%3A%2F%2Flocalhost%3A1%2F", "misconfigured", "redirects"),
        ("/redirect-loop/302", "misconfigured", "loop"),
    ],
)
def test_classifications(
    path: str, classification: str, part: str | None, api: Server, tmp_path: Path
) -> None:
    (result,) = outcomes(project(tmp_path, one=connection(api.url, path)))
    assert result["classification"] == classification
    assert result["connection"] == "one"
    assert result["method"] == "GET"
    assert result["url"] == api.url + path.replace(TOKEN, "***")
    assert result["duration"] > 0
    if part is None:
        assert "message" not in result
        assert result["status"] == 200
    else:
        assert part in result["message"]
        assert result["help"]
        assert (result["file"], result["line"]) == ("connections.d/one.yaml", 1)
    tried = [request for request in api.requests if request.path == path.partition("?")[0]]
    assert len(tried) in (1, 2 if "loop" in path else 1)


def test_nothing_is_tried_twice(api: Server, tmp_path: Path) -> None:
    outcomes(project(tmp_path, one=connection(api.url, "/status/503", retry={"attempts": 5})))
    assert api.count() == 1


def test_a_host_that_refuses(tmp_path: Path) -> None:
    with refused_port() as port:
        (result,) = outcomes(project(tmp_path, one=connection(f"http://127.0.0.1:{port}", "/me")))
    assert result["classification"] == "unreachable"
    assert "refused" in result["message"]
    assert "status" not in result


def test_a_host_that_does_not_answer(api: Server, tmp_path: Path) -> None:
    (result,) = outcomes(project(tmp_path, one=connection(api.url, "/hold", timeout="50ms")))
    assert result["classification"] == "unreachable"
    assert "no answer" in result["message"]


def test_a_certificate_that_nobody_vouches_for_and_one_that_is_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    with faults(tls=authority.server_context()) as secure:
        strict, known = (
            project(tmp_path / name, one=connection(secure.url, f"/bearer/{TOKEN}", **more))
            for name, more in (("strict", {}), ("known", {"tls": {"ca": str(authority.ca_file)}}))
        )
        (result,) = outcomes(strict)
        assert result["classification"] == "tls"
        assert "tls.ca" in result["help"]
        assert secure.requests == ()
        assert outcomes(known)[0]["classification"] == "ok"


def test_a_header_that_cannot_be_sent(api: Server, tmp_path: Path) -> None:
    made = project(tmp_path, one=connection(api.url, "/me", headers={"X-Key": "env://KEY"}))
    (result,) = outcomes(made, environ={"TOKEN": TOKEN, "KEY": "line\nbreak"})
    assert result["classification"] == "misconfigured"
    assert "X-Key" in result["message"]
    assert api.requests == ()


def test_a_credential_that_cannot_be_sent(api: Server, tmp_path: Path) -> None:
    (result,) = outcomes(project(tmp_path, one=connection(api.url, "/me")), environ={"TOKEN": f"{TOKEN}\n"})
    assert result["classification"] == "secret unavailable"
    assert "auth.token" in result["message"]


def test_expectations_and_errors_in_a_200(api: Server, tmp_path: Path) -> None:
    failing = connection(
        api.url,
        "/body/error-in-200",
        fail_when="{{ not response.body.ok }}",
        error_message="{{ response.body.error }}",
    )
    unexpected = connection(api.url, "/body/json")
    unexpected["test"]["expect"] = {"that": ["{{ response.body.ok == 'never' }}"]}
    made = project(tmp_path, failing=failing, unexpected=unexpected)
    first, second = outcomes(made)
    assert first["classification"] == second["classification"] == "unexpected"
    assert first["message"].endswith("channel_not_found")


def test_no_test_endpoint(tmp_path: Path) -> None:
    (result,) = outcomes(project(tmp_path, one=connection("https://api.example.com")))
    assert result == {
        "connection": "one",
        "classification": "no test endpoint",
        "help": "declare a harmless request under `test` in its file",
    }


def test_missing_secrets_keep_nobody_else_from_being_tested(api: Server, tmp_path: Path) -> None:
    good = f"/bearer/{TOKEN}"
    missing = {**connection(api.url, good), "auth": {"token": "env://NOT_SET"}}
    also = {**connection(api.url, good), "auth": {"token": "env://NOT_SET_EITHER"}}
    made = project(tmp_path, a=connection(api.url, good), b=missing, c=connection(api.url, good), d=also)
    results = outcomes(made, "d", "c", "b", "a")
    assert [(result["connection"], result["classification"]) for result in results] == [
        ("d", "secret unavailable"),
        ("c", "ok"),
        ("b", "secret unavailable"),
        ("a", "ok"),
    ]
    assert "NOT_SET_EITHER" in results[0]["message"]
    assert (results[2]["file"], results[2]["line"]) == ("connections.d/b.yaml", 1)
    assert api.count() == 2


def test_secrets_of_vault(vault: Workspace, api: Server, tmp_path: Path) -> None:
    vault.put("secret/app", {"token": TOKEN})
    good = f"/bearer/{TOKEN}"
    right = {**connection(api.url, good), "auth": {"token": "vault://secret/app#token"}}
    longer = {**connection(api.url, good), "auth": {"token": "vault://secret/app#token_of_old"}}
    made = project(
        tmp_path,
        right=right,
        wrong=longer,
        mine={**right, "shared": False, "auth": {"token": "vault://secret/{{ user }}#token"}},
    )
    environ = vault.environ(VAULT_TOKEN=vault.token("reader"))
    mine, good_one, wrong = outcomes(made, environ=environ)
    assert good_one["classification"] == "ok"
    assert wrong["classification"] == mine["classification"] == "secret unavailable"
    assert "it has: token" in wrong["message"]
    assert "--as USER" in str(mine["help"])


def test_the_method_the_query_and_the_body_of_a_test(api: Server, tmp_path: Path) -> None:
    test = {"method": "POST", "path": "/x", "query": {"a": 1}, "json": {"b": "{{ vars.v }}"}}
    made = make(
        tmp_path,
        {
            "runner.yaml": {"vars": {"v": "of the project"}},
            # What workflows may do says nothing of the connection's own test.
            "connections.d/one.yaml": {
                **connection(api.url + "/echo"),
                "test": test,
                "allow": ["GET /other"],
            },
        },
    )
    (result,) = outcomes(made)
    assert result["classification"] == "ok"
    (sent,) = api.requests
    assert (sent.method, sent.target, sent.json()) == ("POST", "/echo/x?a=1", {"b": "of the project"})
    assert sent.header("Authorization") == f"Bearer {TOKEN}"


def test_the_answer_of_a_test_is_no_secret(tmp_path: Path) -> None:
    """Else whatever an API says of itself, `tickets` for one, would be masked in the output from then on."""
    with Server({"* /**": lambda _: reply({"name": "tickets", "agent": "runner"})}) as server:
        redactor = Redactor()
        (result,) = outcomes(project(tmp_path, tickets=connection(server.url, "/me")), redactor=redactor)
    assert redactor.text("tickets, runner") == "tickets, runner"
    assert result["connection"] == "tickets"
    assert result["url"].endswith("/me")


def test_a_403_is_a_rate_limit_where_the_connection_tells_them_apart(tmp_path: Path) -> None:
    """Said by the connection's own `rate_limit`, and by that of a preset; `forbidden` would send people to Vault."""
    answers = {
        "/used-up": reply({}, 403, {"X-RateLimit-Remaining": "0", "X-Left": "0"}),
        "/wait": reply({}, 403, {"Retry-After": "86400"}),
        "/no": reply({}, 403, {"X-RateLimit-Remaining": "41", "X-Left": "41"}),
    }
    own = {"statuses": [403], "remaining": "X-Left"}
    with Server({"GET /**": lambda asked: answers[asked.path]}) as server:
        made = {
            f"{kind}{number}": connection(server.url, path, **more)
            for number, path in enumerate(answers)
            for kind, more in (("own", {"rate_limit": own}), ("preset", {"type": "github"}))
        }
        results = outcomes(project(tmp_path, **made))
        assert server.count() == 6
    assert {item["connection"]: item["classification"] for item in results} == {
        "own0": "rate limited", "own1": "rate limited", "own2": "forbidden",
        "preset0": "rate limited", "preset1": "rate limited", "preset2": "forbidden",
    }  # fmt: skip
    limited = next(item for item in results if item["connection"] == "preset1")
    assert "credentials were not judged" in limited["help"]
