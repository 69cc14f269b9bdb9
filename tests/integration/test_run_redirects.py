"""Redirects through whole runs: which are followed, which credentials go along, and what a refusal says."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.canary import Search
from tests.projects import Ran, request, run, simple
from tests.servers.faults import faults
from tests.servers.http import Server, reply

JsonObject = dict[str, Any]
SECRET = "the-secret/of+this&test"
BEARER: JsonObject = {
    "type": "bearer",
    "auth": {"token": "env://TOKEN"},
    "headers": {"X-Key": "env://TOKEN"},
    "query": {"key": "env://TOKEN"},
}


@pytest.fixture
def api() -> Iterator[Server]:
    with faults() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Server]:
    with Server({"* /**": lambda _: reply({"other": True})}) as server:
        yield server


def asked(
    root: Path,
    url: str,
    path: str,
    *,
    method: str = "GET",
    connection: JsonObject | None = None,
    expect: Any = None,
    **fields: Any,
) -> Ran:
    action = request("one", method, path, more={"expect": expect} if expect else {}, **fields)
    project = simple(
        root,
        [action],
        url=url,
        connection=BEARER if connection is None else connection,
        secrets={"own": "env://TOKEN"},
    )
    return run(project, environ={"TOKEN": SECRET})


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
def test_the_same_host_is_followed_with_credentials(
    code: int, method: str, api: Server, tmp_path: Path
) -> None:
    body: JsonObject = {"json": {"n": 1}} if method in ("POST", "PUT") else {}
    ran = asked(tmp_path, api.url, f"/redirect/{code}?to=/status/200", method=method, **body)
    assert ran.result.exit_code == 0
    first, second = api.requests
    kept = code in (307, 308) or method in ("GET", "HEAD") or (code in (301, 302) and method != "POST")
    assert second.method == (method if kept else "GET")
    assert second.body == (first.body if kept else b"")
    assert second.header("Authorization") == f"Bearer {SECRET}"
    assert second.header("X-Key") == second.parameter("key") == SECRET


@pytest.mark.parametrize("redirects", [None, "same_host"])
def test_another_host_is_refused_by_default(
    redirects: str | None, api: Server, other: Server, tmp_path: Path
) -> None:
    fields: JsonObject = {"redirects": redirects} if redirects else {}
    ran = asked(tmp_path, api.url, f"/redirect/302?to={other.url}/landed", **fields)
    assert ran.failure[0] == "redirect"
    assert other.url.removeprefix("http://") in ran.failure[1]
    assert ran.result.error is not None
    assert "`follow`" in str(ran.result.error.help)
    assert other.connections == 0
    assert api.count() == 1


@pytest.mark.parametrize("code", [302, 307])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_following_to_another_host_takes_no_secret_along(
    code: int, method: str, api: Server, other: Server, tmp_path: Path
) -> None:
    fields: JsonObject = {
        "headers": {"X-Own": "{{ secrets.own }}", "X-Plain": "stays", "Cookie": "sid={{ secrets.own }}"},
        "query": {"own": "{{ secrets.own }}"},
    }
    if method == "POST":
        fields["json"] = {"n": 1}
    ran = asked(
        tmp_path,
        api.url,
        f"/redirect/{code}?to={other.url}/landed",
        method=method,
        redirects="follow",
        **fields,
    )
    assert ran.result.exit_code == 0, ran.result.error
    assert ran.action("one").output == {"other": True}
    (landed,) = other.requests
    assert landed.header("X-Plain") == "stays"
    assert Search([SECRET]).leaks(landed.head, landed.body) == []
    assert api.requests[0].header("X-Own") == SECRET
    assert api.requests[0].cookie("sid") == SECRET


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"k": "{{ secrets.own }}"}},
        {"form": {"k": "{{ secrets.own }}"}},
        {"body": "{{ secrets.own }}"},
    ],
)
@pytest.mark.parametrize("code", [307, 308])
def test_a_body_with_a_secret_does_not_follow(
    body: JsonObject, code: int, api: Server, other: Server, tmp_path: Path
) -> None:
    ran = asked(
        tmp_path,
        api.url,
        f"/redirect/{code}?to={other.url}/landed",
        method="POST",
        redirects="follow",
        **body,
    )
    assert ran.failure[0] == "redirect"
    assert other.connections == 0


def test_a_request_without_a_connection_keeps_its_secrets_at_home(
    api: Server, other: Server, tmp_path: Path
) -> None:
    action = {
        "id": "one",
        "request": {
            "url": f"{api.url}/redirect/302?to={other.url}/landed",
            "redirects": "follow",
            "headers": {"Authorization": "Bearer {{ secrets.own }}", "X-Key": "{{ secrets.own }}"},
        },
    }
    ran = run(simple(tmp_path, [action], secrets={"own": "env://TOKEN"}), environ={"TOKEN": SECRET})
    assert ran.result.exit_code == 0, ran.result.error
    assert api.requests[0].header("Authorization") == f"Bearer {SECRET}"
    assert Search([SECRET]).leaks(other.requests[0].head) == []


def test_a_server_that_sends_the_credential_on_is_not_helped(
    api: Server, other: Server, tmp_path: Path
) -> None:
    """As a parameter of its own it is taken out; anywhere else in the URL it ends the request."""
    ran = asked(tmp_path / "a", api.url, f"/echo-redirect?to={other.url}/leaked", redirects="follow")
    assert ran.result.exit_code == 0
    assert [request.target for request in other.requests] == ["/leaked"]
    inside = quote(f"{other.url}/x?next=https://x.test/%3Fkey={quote(SECRET, safe='')}", safe="")
    ran = asked(tmp_path / "b", api.url, f"/redirect/302?to={inside}", redirects="follow")
    assert ran.failure[0] == "redirect"
    assert "redirects to a URL with credentials of this request" in ran.failure[1]
    assert other.count() == 1
    assert Search([SECRET]).leaks(*ran.failure, *(request.head for request in other.requests)) == []


@pytest.mark.parametrize("written", [str, str.lower])
def test_a_credential_in_the_name_of_a_host_is_not_shown(
    written: Callable[[str], str], api: Server, tmp_path: Path
) -> None:
    secret = "Planted-Token.4711"
    action = request("one", path=f"/redirect/302?to=http://{written(secret)}.example.com/")
    ran = run(simple(tmp_path, [action], url=api.url, connection=BEARER), environ={"TOKEN": secret})
    assert ran.failure[0] == "redirect"
    assert "redirects to a URL with credentials of this request (302), another host" in ran.failure[1]


def test_never_takes_the_redirect_as_the_answer(api: Server, other: Server, tmp_path: Path) -> None:
    ran = asked(
        tmp_path,
        api.url,
        f"/redirect/302?to={other.url}/x",
        redirects="never",
        expect={"status": 302, "headers": {"Location": True}},
    )
    assert ran.result.exit_code == 0
    assert (api.count(), other.connections) == (1, 0)


def test_an_expected_redirect_is_the_answer(api: Server, other: Server, tmp_path: Path) -> None:
    ran = asked(tmp_path, api.url, f"/redirect/302?to={other.url}/x", expect={"status": [302]})
    assert ran.result.exit_code == 0
    assert other.connections == 0


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/redirect-loop/302", "redirects in a loop"),
        ("/redirect-chain/302/11", "redirects more than 10 times"),
        ("/redirect/302?to=ftp%3A%2F%2Fexample.com%2F", "something that is no http or https URL"),
        ("/redirect/302?to=http%3A%2F%2Fa%3Ab%40127.0.0.1%2F", "something that is no http or https URL"),
    ],
)
def test_redirects_that_lead_nowhere(path: str, part: str, api: Server, tmp_path: Path) -> None:
    ran = asked(tmp_path, api.url, path, redirects="follow")
    assert ran.failure[0] == "redirect"
    assert part in ran.failure[1]
    assert ran.result.error is not None
    assert ran.result.error.help
    assert Search([SECRET]).leaks(*ran.failure, repr(ran.result)) == []


def test_ten_hops_are_followed(api: Server, tmp_path: Path) -> None:
    assert (
        asked(tmp_path, api.url, "/redirect-chain/302/10?to=/status/200", redirects="follow").result.exit_code
        == 0
    )
    assert api.count() == 11


def test_a_redirect_is_not_tried_again(api: Server, other: Server, tmp_path: Path) -> None:
    ran = asked(tmp_path, api.url, f"/redirect/307?to={other.url}/x")
    assert len(ran.action("one").record["attempts"]) == 1
