"""Every preset on the wire: its test request arrives exactly as the vendor wants it, and answers in the vendor's forms
are judged as what they are. `exchanges.yaml` says what that is; it was not made from the presets.

All connections are tested together, so that a hundred of them take a second.
"""

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from runner import presets
from runner.answer import Response
from runner.check import check
from runner.cli.type_facts import preset as facts
from runner.connection_test import send_tests
from runner.perform import Headers
from runner.project import Project
from runner.result import Status
from runner.sensitive import Redactor
from runner.waits import asked, limited
from tests.projects import finished, make, run
from tests.servers.http import Request, Server, reply
from tests.servers.http import Response as Sent

JsonObject = dict[str, Any]
EXCHANGES: dict[str, JsonObject] = yaml.safe_load(
    Path(__file__).with_name("exchanges.yaml").read_text(encoding="utf-8")
)
ANSWERS = ("refusal", "limited", "error", "hidden_error")
KEYS = (*ANSWERS, "pages")
DECLARED = [f"{name} {way}" for name, each in EXCHANGES.items() for way in each if way not in KEYS]
WAYS = [each for each in DECLARED if not EXCHANGES[each.split()[0]][each.split()[1]].get("signs")]
"""What is tested on the wire here. The others sign with a key, or write to Vault: `tests/integration/test_presets_signed.py`."""
SAID = "what went wrong"
TOKEN_PATH = "/token-endpoint"
PAGES = [
    (name, pages)
    for name, each in EXCHANGES.items()
    if "pages" in each
    for pages in (each["pages"] if isinstance(each["pages"], list) else [each["pages"]])
]
UNTESTED = {"aws aws_sigv4", "aws sts"}
"""No request fits all services of the one; moto checks the other: `tests/integration/test_run_signing.py`."""


def connection_file(name: str, way: str) -> JsonObject:
    """The file that `runner types` shows, with every secret, from the environment."""
    (found,) = (each for each in facts(name)["auth"] if each["name"] == way)
    auth: JsonObject = {"type": way}
    for each in found["fields"]:
        value = found["file"]["auth"].get(each["name"])
        if each["secret"] or str(value).startswith("vault://"):
            auth[each["name"]] = f"env://{name}_{way}_{each['name']}"
        elif value is not None:
            auth[each["name"]] = value
    return {**found["file"], "auth": auth}


def environment(prefix: str) -> dict[str, str]:
    return {
        f"{name}_{way.name}_{field}": f"{prefix}{field}"
        for name in presets.names()
        for way in presets.load(name).schemes.values()
        for field in way.fields
    }


@dataclass(frozen=True)
class Everything:
    """All presets in all their ways: their own base URLs, and what came of their tests on a local server."""

    base_urls: dict[str, str]
    accepted: dict[str, JsonObject]
    refused: dict[str, JsonObject]
    limited: dict[str, JsonObject]
    broken: dict[str, JsonObject]
    hidden: dict[str, JsonObject]
    requests: dict[str, Request]


class Vendors:
    """Answers as all the vendors do: the first segment of the path says which, and in which way one signs in."""

    def __init__(self) -> None:
        self.mode = "accept"
        self.seen: dict[str, Request] = {}

    def __call__(self, request: Request) -> Sent:
        name, _, way = request.path.split("/")[1].partition("+")
        vendor = EXCHANGES[name]
        self.seen[f"{name} {way}"] = request
        if self.mode == "limited":
            return reply({}, status=vendor["limited"]["status"], headers=vendor["limited"]["headers"])
        if self.mode == "error":
            return reply(vendor["error"], status=400)
        if self.mode == "hidden_error":
            return reply(vendor["hidden_error"])
        if request.path.endswith(TOKEN_PATH):
            return token(request, vendor[way]["token"])
        login = vendor[way].get("login")
        if login and not differences(request, login):
            return reply(login["ok"], headers=login.get("answers"))
        wrong = differences(request, vendor[way])
        if wrong:
            refusal = vendor.get("refusal", {"status": 401, "body": {"wrong": wrong}})
            body, status = refusal["body"], refusal["status"]
            if isinstance(body, str):
                return Sent(status, body.encode(), {"Content-Type": "text/html"})
            return reply(body, status=status)
        return reply(vendor[way]["ok"], status=201 if vendor[way].get("created") else 200)


def token(request: Request, wanted: JsonObject) -> Sent:
    """Answer as a token endpoint does."""
    form = dict(parse_qsl(request.body.decode()))
    basic = request.header("Authorization")
    right = wanted["form"].items() <= form.items()
    if "basic" in wanted:
        right &= basic == "Basic " + base64.b64encode(wanted["basic"].encode()).decode()
    else:
        right &= basic is None
    if not right:
        return reply({"error": "invalid_client", "error_description": f"{form} {basic}"}, status=400)
    return reply({"access_token": "s3cret-access_token", "token_type": "Bearer", "expires_in": 3600})


def differences(request: Request, wanted: JsonObject) -> list[str]:
    """Say in which parts a request is not the one that is wanted."""
    method, _, url = wanted["send"].partition(" ")
    parts = urlsplit(url)
    headers = dict(wanted.get("headers", {}))
    if "basic" in wanted:
        headers["Authorization"] = "Basic " + base64.b64encode(wanted["basic"].encode()).decode()
    path = "/" + request.path.split("/", 2)[2]
    found = [] if request.method == method else ["method"]
    found += [] if path == (parts.path or "/") else [f"path {path}"]
    found += (
        [] if sorted(request.query) == sorted(parse_qsl(parts.query, keep_blank_values=True)) else ["query"]
    )
    found += [name for name, value in headers.items() if request.header(name) != value]
    if "Authorization" not in headers and request.header("Authorization"):
        found.append("Authorization is sent")
    if "json" in wanted and (request.json() if request.body.startswith(b"{") else None) != wanted["json"]:
        found.append("body")
    if "form" in wanted and dict(parse_qsl(request.body.decode())) != wanted["form"]:
        found.append("form")
    return found


def outcomes(project: Project, ways: list[str], prefix: str) -> dict[str, JsonObject]:
    names = [way.replace(" ", "/") for way in ways]
    results = finished(
        send_tests(project, names, environ=environment(prefix), redactor=Redactor(), warn=lambda _: None)
    )
    return dict(zip(ways, results, strict=True))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Everything:
    files = {way: connection_file(*way.split(" ")) for way in WAYS}
    own = make(
        tmp_path_factory.mktemp("own"),
        {f"connections.d/{way.replace(' ', '/')}.yaml": file for way, file in files.items()},
    )
    base_urls = {way: own.connections[way.replace(" ", "/")].base_url.text for way in WAYS}
    vendors = Vendors()
    with Server({"* /**": vendors}) as server:
        moved = {}
        for way, file in files.items():
            path = urlsplit(base_urls[way]).path
            place = f"{server.url}/{way.replace(' ', '+')}"
            auth = dict(file["auth"])
            if "token" in EXCHANGES[way.split()[0]][way.split()[1]]:
                auth["token_url"] = f"{place}{TOKEN_PATH}"
            moved[f"connections.d/{way.replace(' ', '/')}.yaml"] = {
                **file,
                "auth": auth,
                "base_url": f"{place}{path}",
            }
        local = make(tmp_path_factory.mktemp("local"), moved)
        accepted = outcomes(local, WAYS, "s3cret-")
        requests = dict(vendors.seen)
        refused = outcomes(local, WAYS, "another-")
        answers = {}
        for kind in ANSWERS[1:]:
            vendors.mode = kind
            answers[kind] = outcomes(
                local, [way for way in WAYS if kind in EXCHANGES[way.partition(" ")[0]]], "s3cret-"
            )
    return Everything(
        base_urls, accepted, refused, answers["limited"], answers["error"], answers["hidden_error"], requests
    )


def test_every_preset_is_here() -> None:
    declared = {f"{name} {way}" for name in presets.names() for way in presets.load(name).schemes}
    assert declared == {*DECLARED, *UNTESTED}


def test_what_signs_goes_where_the_vendor_is(tmp_path: Path) -> None:
    signed = sorted({*DECLARED} - {*WAYS})
    project = make(
        tmp_path,
        {
            f"connections.d/{way.replace(' ', '/')}.yaml": next(
                each["file"] for each in facts(way.split()[0])["auth"] if each["name"] == way.split()[1]
            )
            for way in signed
        },
    )
    for way in signed:
        name, scheme = way.split()
        connection = project.connections[f"{name}/{scheme}"]
        assert connection.test is not None
        url = urlsplit(connection.base_url.text)
        wanted = urlsplit(EXCHANGES[name][scheme]["send"].partition(" ")[2])
        assert (url.netloc, url.path.rstrip("/") + connection.test.path.text) == (wanted.netloc, wanted.path)
        if "token" in EXCHANGES[name][scheme]:
            told = EXCHANGES[name][scheme]["token"]
            assert connection.auth.token_url.text == told["url"]
            assert (connection.auth.client_auth == "basic") is ("basic" in told)


@pytest.mark.parametrize("way", WAYS)
def test_on_the_wire(way: str, everything: Everything) -> None:
    name, scheme = way.split()
    wanted = EXCHANGES[name]
    exchange = wanted[scheme]
    origin = urlsplit(exchange["send"].partition(" ")[2])
    assert urlsplit(everything.base_urls[way]).netloc == origin.netloc
    assert everything.base_urls[way].startswith("https://")
    assert differences(everything.requests[way], exchange) == []
    result = everything.accepted[way]
    assert result["classification"] == "ok", result

    refused = everything.refused[way]
    if {"login", "token"} & set(exchange):
        assert refused["classification"] != "ok", refused
        return
    status = wanted.get("refusal", {"status": 401})["status"]
    assert refused["classification"] == ("unauthorized" if status == 401 else "unexpected"), refused
    if "limited" in wanted:
        assert everything.limited[way]["classification"] == "rate limited", everything.limited[way]
    if "error" in wanted:
        assert everything.broken[way]["classification"] == "unexpected"
        assert SAID in everything.broken[way]["message"], everything.broken[way]
    if "hidden_error" in wanted:
        assert everything.hidden[way]["classification"] == "unexpected"
        assert SAID in everything.hidden[way]["message"], everything.hidden[way]
        assert "it is an error" in everything.hidden[way]["message"]


NOW = 1_800_000_000.0
IN_A_MINUTE = {
    "epoch_s": "1800000060",
    "epoch_ms": "1800000060000",
    "epoch_us": "1800000060000000",
    "delta_s": "60",
    "iso8601": "2027-01-15T08:01:00Z",
    "rfc3339": "2027-01-15T08:01:00Z",
    "duration": "1m0s",
}


@pytest.mark.parametrize("name", [name for name, each in EXCHANGES.items() if "limited" in each])
def test_a_limit_is_understood(name: str, tmp_path: Path) -> None:
    """What a vendor answers when it is asked too often, and the time at which it wants to be asked again."""
    way = next(iter(presets.load(name).schemes))
    project = make(tmp_path, {"connections.d/c.yaml": connection_file(name, way)})
    rate = project.connections["c"].rate_limit
    told = EXCHANGES[name]["limited"]
    headers = Headers({key.lower(): IN_A_MINUTE.get(value, value) for key, value in told["headers"].items()})
    response = Response(told["status"], headers, {}, "https://example.com", 0.1, "{}")
    assert limited(response, rate)
    if set(told["headers"].values()) & set(IN_A_MINUTE):
        assert asked(response, rate, NOW) == 60
    remaining = next((key.lower() for key, value in told["headers"].items() if value == "0"), None)
    if remaining and told["status"] != 429:
        assert not limited(replace(response, headers=Headers({remaining: "7"})), rate)


@pytest.mark.parametrize(("name", "pages"), PAGES)
def test_pages_follow_each_other(name: str, pages: JsonObject, tmp_path: Path) -> None:
    """Two pages in the vendor's form, asked for as the vendor wants it, and no third."""
    path, dropped = pages.get("path", "/things"), pages.get("dropped", {})
    paginate = presets.load(name).defaults["paginate"]

    def answer(request: Request) -> Sent:
        asked_for = {key: value for key, value in request.query if key in pages["asked"]}
        page = pages["last" if asked_for == pages["asked"] else "first"]
        text = json.dumps([page["body"], page.get("headers", {})]).replace("SELF", f"{server.url}{path}")
        body, headers = json.loads(text)
        return reply(body, headers=headers)

    asked = {"path": path, "query": dropped}
    with Server({"GET /**": answer}) as server:
        project = make(
            tmp_path,
            {
                "connections.d/c.yaml": {
                    "type": "none",
                    "base_url": server.url,
                    "paginate": paginate,
                    "shared": True,
                },
                "workflows.d/main.yaml": {
                    "actions": [
                        {"id": "one", "connection": "c", "request": {**asked, "paginate": True}},
                        {"id": "two", "connection": "c", "request": asked},
                    ]
                },
            },
        )
        result = run(project).result
        assert result.status is Status.SUCCEEDED, result.error
        sent = [dict(request.query) for request in server.sent("GET", path)]
    # Without `paginate` an action sends one request: a preset says how, never that.
    assert len(sent) == 3, sent
    assert sent[1].items() >= pages["asked"].items()
    assert not sent[1].keys() & dropped.keys()


def test_ready_files_are_valid(tmp_path: Path) -> None:
    files = {
        f"connections.d/{name}/{way['name']}.yaml": json.dumps(way["file"]).replace(
            f"/{name}#", f"/{name}/{way['name']}#"
        )
        for name in presets.names()
        for way in facts(name)["auth"]
    }
    project = make(tmp_path, files)
    expected = {f"{name}/{way}" for name in presets.names() for way in presets.load(name).schemes}
    assert set(project.connections) == expected
    found = [item for item in check(project) if item.rule != "unused-connection"]
    assert {(item.rule, item.primary.span.path) for item in found} == {
        ("missing-test-endpoint", "connections.d/aws/aws_sigv4.yaml")
    }
