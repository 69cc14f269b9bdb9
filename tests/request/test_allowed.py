"""`allow` of a connection."""

from pathlib import Path

import pytest

from runner.model import AllowRule
from runner.request import allowed
from tests.projects import request, simple
from tests.request.sent import arrived, refused
from tests.servers.http import Server


@pytest.mark.parametrize(
    ("rules", "method", "path", "expected"),
    [
        (None, "DELETE", "/x", True),
        ([], "GET", "/x", False),
        (["GET *"], "GET", "/any/thing", True),
        (["GET *"], "POST", "/any", False),
        (["* /x"], "DELETE", "/x", True),
        (["POST /tickets/*"], "POST", "/tickets/1/close", True),
        (["POST /tickets/*"], "POST", "/tickets", False),
        (["POST /tickets/*/close"], "POST", "/tickets/1/close", True),
        (["POST /tickets/*/close"], "POST", "/tickets/1/open", False),
        (["GET /a[b]"], "GET", "/ab", False),
        (["GET /a[b]"], "GET", "/a[b]", True),
        (["GET /a?"], "GET", "/ab", False),
        (["GET /A"], "GET", "/a", False),
        (["GET /x", "PUT /x"], "PUT", "/x", True),
    ],
)
def test_allow(
    rules: list[str] | None, method: str, path: str, expected: bool, api: Server, tmp_path: Path
) -> None:
    connection = simple(tmp_path, [request("one")]).connections["api"]
    pairs = None if rules is None else tuple(AllowRule(method=r.split()[0], path=r.split()[1]) for r in rules)
    from dataclasses import replace

    assert allowed(replace(connection, allow=pairs), method, path) is expected


def test_a_path_that_only_the_run_knows_is_checked_before_it_is_sent(api: Server, tmp_path: Path) -> None:
    kind, message, remedy = refused(
        api,
        tmp_path,
        path="/{{ inputs.what }}/1",
        inputs={"what": "admin"},
        connection={"allow": ["POST /tickets/*", "GET *"]},
    )
    assert kind == "not-allowed"
    assert message == "the connection 'api' does not allow POST on this path"
    assert remedy == "it allows 'POST /tickets/*', 'GET *'; the list is `allow` in its file"


def test_the_query_is_no_part_of_what_is_allowed(api: Server, tmp_path: Path) -> None:
    sent = arrived(
        api, tmp_path, path="/x?{{ inputs.q }}", inputs={"q": "/y"}, connection={"allow": ["POST /x"]}
    )
    assert sent.target == "/x?%2Fy"
