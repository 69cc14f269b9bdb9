"""The canary suite over what is beside the text of a request: client keys, logins of proxies, parts of multipart, saved answers."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.canary import Search
from tests.projects import make
from tests.servers.certificates import Authority
from tests.servers.http import Request, Response, Server, reply
from tests.servers.relays import SocksProxy
from tests.test_canary_auth import RUNNER

JsonObject = dict[str, Any]
LOGIN = "pr0xy:l/ogin+of=\"all'&\\%25 <x>"
PART = "p4rt/of a=\"form'&\\%25 <x>\u00e4-and long"
REPORTS = ("json", "junit", "html", "markdown")


def _echo(asked: Request, status: int = 200) -> Response:
    body = {"body": asked.body.decode("utf-8", "replace"), "headers": dict(asked.headers)}
    return reply({"error": f"no: {json.dumps(body)}", **body}, status)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def pair(authority: Authority) -> tuple[str, str]:
    """Give the certificate of a client and its key."""
    files = authority.client("robot")
    return files.certificate.read_text(), files.key.read_text()


@pytest.fixture
def api(authority: Authority, pair: tuple[str, str]) -> Iterator[Server]:
    """Lets in who has the key, and gives it away."""
    key = pair[1]
    leak = {"k": key, "one line": key.replace("\n", "\\n"), "its middle": key.splitlines()[1]}
    routes = {
        "* /echo": _echo,
        "* /error": lambda asked: _echo(asked, 422),
        "* /key": lambda _: reply({"error": leak, **leak}, 422),
        "* /saved": _echo,
    }
    with Server(routes, tls=authority.server_context(require_client=True)) as server:
        yield server


def project_of(api: str, proxy: str, socks: str) -> JsonObject:
    ways: dict[str, JsonObject] = {
        "api": {"base_url": api, "tls": {"ca": "env://CA", "cert": "env://CERT", "key": "env://KEY"}},
        "proxied": {"base_url": "http://api.test", "allow_http": True, "proxy": {"url": proxy, "username": "robot", "password": "env://PROXY"}},
        "socks": {"base_url": "http://api.test", "allow_http": True, "proxy": {"url": socks, "username": "robot", "password": "env://PROXY"}},
    }  # fmt: skip
    form: JsonObject = {
        "multipart": {
            "a": "{{ secrets.part }}",
            "j": {"value": {"deep": ["{{ secrets.part }}"]}},
            "f": {"file": "data.txt"},
        }
    }
    sent: list[tuple[str, str, JsonObject]] = [
        ("api", "/echo", form), ("api", "/error", form), ("api", "/key", {}), ("api", "/saved", {**form, "save_to": "saved.json"}),
        ("proxied", "/echo", {}), ("proxied", "/error", {}), ("socks", "/echo", {}),
    ]  # fmt: skip
    actions = [
        {
            "id": f"{way}_{path[1:]}", "connection": way, "on_error": "continue", "retry": {"attempts": 1},
            "request": {"method": "POST", "path": path, **more},
        }
        for way, path, more in sent
    ]  # fmt: skip
    made: JsonObject = {
        f"connections.d/{name}.yaml": {
            "type": "none", "shared": True, "error_message": "{{ response.body.error }}",
            "test": {"method": "POST", "path": "/error"}, **way,
        }
        for name, way in ways.items()
    }  # fmt: skip
    return {**made, "workflows.d/main.yaml": {"secrets": {"part": "env://PART"}, "actions": actions}}


COMMANDS = (
    ["validate"],
    ["plan", "main"],
    ["run", "main", "-vv", *(part for form in REPORTS for part in ("--report", f"{form}=r.{form}"))],
    ["runs", "--format", "json"],
    ["connections", "test", "--all", "-vv"],
    ["connections", "show", "proxied"],
)


def test_nothing_shows_anywhere(
    api: Server, authority: Authority, pair: tuple[str, str], tmp_path: Path
) -> None:
    """Neither in what is printed at the highest verbosity, nor in a report, nor in what is kept of the run."""
    work = tmp_path / "work"
    (work / "connections.d").mkdir(parents=True)
    (work / "data.txt").write_text("nothing secret")
    environ = {
        "PATH": os.defpath, "CA": authority.ca_file.read_text(), "CERT": pair[0], "KEY": pair[1].replace("\n", "\\n"),
        "PROXY": LOGIN, "PART": PART,
    }  # fmt: skip

    def forwards(asked: Request) -> Response:
        return _echo(asked, 200 if asked.target.endswith("echo") else 407)

    told = b""
    with (
        Server({"* http://api.test/*": forwards}) as proxy,
        SocksProxy(proxy.port, login=("robot", "another")) as socks,
    ):
        make(work, project_of(api.url, proxy.url, f"socks5h://{socks.place}"))
        for command in COMMANDS:
            done = subprocess.run(
                [RUNNER, *command], cwd=work, env=environ, capture_output=True, timeout=120, check=False
            )
            told += done.stdout + done.stderr
            assert b"Traceback" not in done.stderr, done.stderr[-2000:]
        proofs = {
            (asked.header("Proxy-Authorization") or "").removeprefix("Basic ") for asked in proxy.requests
        }
    kept = {
        path.relative_to(work).as_posix(): path.read_bytes() for path in work.rglob("*") if path.is_file()
    }
    saved = kept.pop("saved.json")
    search = Search({LOGIN, PART, pair[1], *proofs} - {""})
    shown = {"told": told, **kept}
    assert {name: leaks for name, data in shown.items() if (leaks := search.leaks(data))} == {}

    # And the run was not harmless by accident.
    result = json.loads(kept["r.json"])
    ended = {action["id"]: action.get("error", {}).get("kind") for action in result["actions"]}
    assert ended == {
        "api_echo": "secret-in-output", "api_error": "unexpected-status", "api_key": "unexpected-status", "api_saved": None,
        "proxied_echo": "secret-in-output", "proxied_error": "unexpected-status", "socks_echo": "connection",
    }  # fmt: skip
    assert any(name.startswith(".runner/") for name in kept)
    assert Search({PART}).leaks(saved)  # a file is what the server sent
    assert proofs
    assert api.count("POST", "/key") == 1
    assert b"***" in told
