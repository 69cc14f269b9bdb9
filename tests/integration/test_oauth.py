"""`type: oauth2` on real servers: one that rotates refresh tokens and revokes a consent on reuse, and OpenBao.

Several processes at once make one call for a token and lose none; a run that died with its claim is taken over; what
may not be written is never spent.
"""

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.auth.oauth2 import stored
from tests.e2e.program import Ended, Program, free_of
from tests.integration.vault_workspace import Workspace
from tests.oidc.server import CLIENT_SECRET, OAuthServer
from tests.projects import request, run, simple
from tests.servers.http import Request, Response, Server

PATH = "secret/crm/oauth"


class Desk:
    """A project with one OAuth connection, its secrets in a workspace of OpenBao, and a token for its runs."""

    def __init__(self, vault: Workspace, oauth: OAuthServer) -> None:
        self.vault, self.oauth = vault, oauth
        vault.put("secret/crm/app", {"client_secret": CLIENT_SECRET, "key": oauth.private_key})
        vault.policy("runs", "secret/data/crm/app", "secret/data/crm/oauth:read,update")
        self.program = Program(vault.directory / "project", {"PATH": os.defpath, **vault.environ()})
        self.environ = {"VAULT_TOKEN": vault.token("runs")}
        oauth.set(lifetime=3600, delay=0, token_answer=None, decline=False)
        self.workflow(1)

    def workflow(self, requests: int) -> None:
        each = [{"id": f"r{n}", "connection": "api", "request": {"path": "/me"}} for n in range(requests)]
        outputs = {"account": "{{ actions.r0.output.account }}"}
        self.program.write("workflows.d/job.yaml", json.dumps({"actions": each, "outputs": outputs}))

    def connection(self, grant: str = "refresh_token", **auth: Any) -> None:
        fields: dict[str, Any] = {
            "grant": grant,
            "token_url": f"{self.oauth.address}/token",
            "client_id": "post",
            "client_secret": "vault://secret/crm/app#client_secret",
            **auth,
        }
        made = {
            "type": "oauth2",
            "base_url": f"{self.oauth.address}/api",
            "shared": True,
            "auth": {name: item for name, item in fields.items() if item is not None},
            "test": {"path": "/me"},
        }
        self.program.write("connections.d/api.yaml", json.dumps(made))

    def stored(self, reference: str = f"vault://{PATH}#refresh_token", **auth: Any) -> None:
        self.connection(refresh_token=reference, **auth)

    def consent(self, **more: Any) -> dict[str, str]:
        tokens = self.oauth.consented()
        self.vault.put(PATH, {"refresh_token": tokens["refresh_token"], "kept": "as it is", **more})
        return tokens

    @property
    def state(self) -> dict[str, Any]:
        data: dict[str, Any] = self.vault.ask("GET", "secret/data/crm/oauth")["data"]["data"]
        return data

    def run(self, *arguments: str, **environ: str) -> Ended:
        return self.program.run("run", "job", *arguments, **{**self.environ, **environ})

    def safe(self, *ended: Ended) -> None:
        """No secret and no token shows, in any form."""
        secrets = [CLIENT_SECRET, self.oauth.private_key]
        for name in ("access_token", "refresh_token"):
            with_it = self.vault.ask("GET", "secret/data/crm/oauth") if name in self.known else {}
            secrets += [with_it["data"]["data"][name]] if with_it and name in with_it["data"]["data"] else []
        assert all(free_of(secrets, each.out, each.err) for each in ended)

    known = ("access_token", "refresh_token")


@pytest.fixture
def desk(vault: Workspace, oauth: OAuthServer) -> Desk:
    return Desk(vault, oauth)


def calls(desk: Desk) -> dict[str, int]:
    counted: dict[str, int] = desk.oauth.control("counts")["token"]
    return dict(counted)


def more(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {
        name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)
    }


@pytest.mark.parametrize(
    "auth",
    [
        {},
        {"client_auth": "basic", "client_id": "basic:&client"},
        {
            "client_auth": "private_key_jwt",
            "client_id": "signed",
            "client_secret": None,
            "private_key": "vault://secret/crm/app#key",
            "key_id": "k1",
        },
    ],
    ids=["body", "basic", "private_key_jwt"],
)
def test_one_token_of_the_client_serves_a_whole_run(desk: Desk, auth: dict[str, Any]) -> None:
    desk.connection("client_credentials", scopes=["read"], **auth)
    desk.workflow(3)
    before = calls(desk)
    ended = desk.run()
    assert ended.code == 0, ended.err
    assert more(before, calls(desk)) == {"client_credentials": 1}


def test_a_refresh_token_is_rotated_written_back_and_shared(desk: Desk) -> None:
    desk.stored()
    tokens = desk.consent()
    before = calls(desk)
    first, second = desk.run("-vv"), desk.run()
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert json.loads(first.out) == {"account": "jo"}
    assert more(before, calls(desk)) == {"refresh_token": 1}
    state = desk.state
    assert state["refresh_token"] != tokens["refresh_token"]
    assert desk.oauth.alive(state["refresh_token"])
    assert state["kept"] == "as it is"
    assert "claim" not in state
    assert free_of([tokens["refresh_token"], state["access_token"]], first.out, first.err, second.err)


def test_many_processes_make_one_call_and_lose_no_token(desk: Desk) -> None:
    desk.stored()
    desk.workflow(3)
    desk.consent()
    desk.oauth.set(delay=300)
    before = calls(desk)
    running = [desk.program.start("run", "job", **desk.environ) for _ in range(4)]
    ended = [(*process.communicate(timeout=90), process.returncode) for process in running]
    assert [code for _, _, code in ended] == [0] * 4, ended
    assert more(before, calls(desk)) == {"refresh_token": 1}
    assert desk.oauth.alive(desk.state["refresh_token"])


def test_a_401_renews_once_and_repeats_the_request_once(desk: Desk) -> None:
    desk.stored()
    tokens = desk.consent()
    desk.vault.put(PATH, {**desk.state, "access_token": tokens["access_token"]})
    desk.oauth.control("revoke", token=tokens["access_token"])
    before = calls(desk)
    ended = desk.run()
    assert ended.code == 0, ended.err
    assert more(before, calls(desk)) == {"refresh_token": 1}


def test_a_run_that_died_with_its_claim_is_taken_over(desk: Desk) -> None:
    desk.stored()
    # Over by our clock, but not by one that is a few seconds behind it: whoever holds it may be at work.
    until = (datetime.now(UTC) - timedelta(seconds=2)).isoformat()
    desk.consent(claim={"by": "somebody who died", "until": until})
    started = time.monotonic()
    ended = desk.run()
    assert ended.code == 0, ended.err
    assert time.monotonic() - started > 0.5
    assert "claim" not in desk.state
    assert desk.oauth.alive(desk.state["refresh_token"])


def test_what_may_not_be_written_back_is_not_spent(desk: Desk) -> None:
    desk.stored()
    tokens = desk.consent()
    desk.vault.policy("reads", "secret/data/crm/*")
    before = calls(desk)
    ended = desk.run(VAULT_TOKEN=desk.vault.token("reads"))
    assert ended.code == 4
    assert "do not allow to update 'secret/data/crm/oauth'" in ended.err
    assert 'path "secret/data/crm/oauth" { capabilities = ["read", "update"] }' in ended.err
    assert more(before, calls(desk)) == {}
    assert desk.oauth.alive(tokens["refresh_token"])
    proof = desk.program.run("validate", "--vault", VAULT_TOKEN=desk.vault.token("reads"))
    assert (proof.code, "secret-not-writable" in proof.out) == (3, True), proof.out
    assert desk.program.run("validate", "--vault", **desk.environ).code == 0
    hcl = desk.program.run("vault-policy").out
    assert 'path "secret/data/crm/oauth" {\n  capabilities = ["read", "update"]\n}' in hcl
    assert 'path "secret/data/crm/app" {\n  capabilities = ["read"]\n}' in hcl


def test_an_engine_without_check_and_set_is_refused_with_the_reason(desk: Desk) -> None:
    desk.vault.mount("old", "kv1")
    tokens = desk.oauth.consented()
    desk.vault.ask("POST", "old/oauth", {"refresh_token": tokens["refresh_token"]})
    desk.vault.policy("all", "secret/data/crm/*", "old/*:read,update,create")
    desk.stored("vault://old/oauth#refresh_token")
    ended = desk.run(VAULT_TOKEN=desk.vault.token("all"))
    assert ended.code == 4
    assert "the engine at 'old/' is KV version 1, which has no check-and-set" in ended.err
    assert desk.oauth.alive(tokens["refresh_token"])
    desk.stored("vault://old/oauth#refresh_token", rotates=False)
    ended = desk.run(VAULT_TOKEN=desk.vault.token("all"))
    assert ended.code == 0, ended.err
    assert "replaced the refresh token, and `rotates: false`" in ended.err


def test_a_dead_refresh_token_is_marked_and_only_a_login_helps(desk: Desk) -> None:
    desk.stored()
    desk.vault.put(PATH, {"refresh_token": "spent-long-ago-0123456789"})
    before = calls(desk)
    first, second = desk.run(), desk.run()
    assert (first.code, second.code) == (1, 1)
    for each in (first, second):
        assert "the consent for the connection 'api' has ended" in each.err
        assert "connections.d/api.yaml:1:" in each.err
        assert "runner connections login api" in each.err
    assert "answered 400: invalid_grant" in first.err
    assert "answered invalid_grant (since" in second.err
    assert more(before, calls(desk)) == {"invalid_grant": 1}
    assert desk.state["refresh_token"] == "spent-long-ago-0123456789"
    assert "spent-long-ago" not in str(desk.state["dead"])
    assert "claim" not in desk.state
    desk.consent()
    assert desk.run().code == 0


def test_tokens_of_another_host_are_not_sent(desk: Desk) -> None:
    desk.stored()
    tokens = desk.consent(token_host="auth.example.com")
    ended = desk.run()
    assert ended.code == 4
    assert "are from auth.example.com, and `token_url` names 127.0.0.1" in ended.err
    assert desk.oauth.alive(tokens["refresh_token"])


class SlowFront:
    """Stands before OpenBao, and lets writes to one path wait; `landed` counts those that have arrived there."""

    def __init__(self, desk: Desk, delay: float) -> None:
        self._desk = desk
        self._delay = delay
        self.landed = [threading.Event() for _ in range(9)]
        self.server = Server({"* /**": self._forward})

    def _forward(self, asked: Request) -> Response:
        writes = asked.method in ("POST", "PUT") and asked.path.endswith("/secret/data/crm/oauth")
        if writes:
            time.sleep(self._delay)
        passed = {"Host", "Content-Length", "Connection", "Accept-Encoding"}
        headers = {name: value for name, value in asked.headers if name not in passed}
        url = self._desk.vault.server.address + asked.target
        question = urllib.request.Request(url, asked.body or None, headers, method=asked.method)
        try:
            with urllib.request.urlopen(question, timeout=20) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, body = error.code, error.read()
        if writes:
            next(event for event in self.landed if not event.is_set()).set()
        return Response(status, body, {"Content-Type": "application/json"})


@pytest.mark.parametrize("writes", [1, 2], ids=["while the claim is short", "when it was renewed"])
def test_a_run_whose_writes_are_slow_loses_no_token_to_another(
    writes: int, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claim would be over before the new token is stored. The provider revokes everything when the old one comes twice."""
    monkeypatch.setattr(stored, "SPARE", 0.2)
    monkeypatch.setattr(stored, "CLOCKS", 0.0)
    auth = {
        "grant": "refresh_token",
        "token_url": f"{desk.oauth.address}/token",
        "client_id": "post",
        "client_secret": "vault://secret/crm/app#client_secret",
        "refresh_token": f"vault://{PATH}#refresh_token",
    }
    api = {"type": "oauth2", "timeout": "300ms", "auth": auth}
    project = simple(
        tmp_path / "p", [request("one", path="/me")], url=f"{desk.oauth.address}/api", connection=api
    )
    desk.consent()
    before = calls(desk)
    front = SlowFront(desk, 0.4)
    environ = {**desk.vault.environ(), **desk.environ}
    with front.server, ThreadPoolExecutor(2) as pool:
        slow = pool.submit(run, project, environ={**environ, "VAULT_ADDR": front.server.url})
        assert front.landed[writes - 1].wait(20)
        quick = pool.submit(run, project, environ=environ)
        codes = [each.result(60).result.exit_code for each in (slow, quick)]
    assert codes == [0, 0], [slow.result().result.error, quick.result().result.error]
    assert more(before, calls(desk)) == {"refresh_token": 1}
    assert desk.oauth.alive(desk.state["refresh_token"])
    assert "claim" not in desk.state


@pytest.mark.parametrize(
    ("number", "word", "code"), [(signal.SIGTERM, "terminated", 143), (signal.SIGINT, "interrupted", 130)]
)
def test_a_test_that_is_stopped_keeps_the_new_token(number: int, word: str, code: int, desk: Desk) -> None:
    """The provider is about to replace the refresh token: the answer is waited for, and written down."""
    desk.stored()
    tokens = desk.consent()
    desk.oauth.set(delay=400)
    with desk.program.start("connections", "test", "api", **desk.environ) as process:
        while "claim" not in desk.state:
            assert process.poll() is None
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err.endswith(f"{word}\n")) == (code, True), err
    state = desk.state
    assert state["refresh_token"] != tokens["refresh_token"]
    assert desk.oauth.alive(state["refresh_token"])
    assert "claim" not in state
