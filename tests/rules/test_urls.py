"""`plain-http` and `malformed-url`: base URLs and the URLs of requests without a connection."""

from pathlib import Path

import pytest

from tests.rules.projects import brief, underlined
from tests.rules.projects import spine as findings

STYLED = ["V", "'V'", '"V"', "|-\n  V", ">-\n  V"]


def base(root: Path, url: str, *lines: str, style: str = '"V"', **files: str) -> list[tuple[str, str, str]]:
    text = f"type: none\nbase_url: {style.replace('V', url)}\n" + "".join(f"{line}\n" for line in lines)
    return brief(root, findings(root, {"connections.d/c.yaml": text, **files}))


@pytest.mark.parametrize(
    ("proxy", "found"),
    [
        ("http://proxy.example.com:3128", []),
        ("proxy.example.com:3128", []),
        ("socks5h://[::1]:1080", []),
        ("''", []),
        ("'http://{{ vars.proxy }}'", ["undefined-reference"]),
        ("{url: http://p.example.com, username: u, password: 'env://P'}", []),
        ("socks4://p.example.com", ["malformed-url"]),
        ("http://p.example.com:99999", ["malformed-url"]),
        ("http://robot@p.example.com", ["malformed-url"]),
        ("http://robot:pa55word@p.example.com", ["hardcoded-secret"]),
        ("{url: http://p.example.com, password: typed-in}", ["hardcoded-secret"]),
        ("{username: u}", ["missing-key"]),
        ("vault://secret/proxy#url", ["malformed-secret-ref", "malformed-url"]),
    ],
)
def test_proxies(proxy: str, found: list[str], tmp_path: Path) -> None:
    assert [item[0] for item in base(tmp_path, "https://example.com", f"proxy: {proxy}")] == found


@pytest.mark.parametrize("style", STYLED)
def test_plain_http_in_every_style(style: str, tmp_path: Path) -> None:
    found = base(tmp_path, "http://tickets.example.com:8080/api", style=style)
    message = "http:// to 'tickets.example.com' is not encrypted: anyone on the way can read it"
    assert found == [("plain-http", message, "http://tickets.example.com:8080")]


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "10.0.0.1",
        "[2001:db8::1]",
        "[::]",
        "localhost.example.com",
        "mylocalhost",
        "128.0.0.1",
        "127.0.0.1.example.com",
        "0.0.0.0",
    ],
)
def test_hosts_that_are_not_this_machine(host: str, tmp_path: Path) -> None:
    assert [item[0] for item in base(tmp_path, f"http://{host}/api")] == ["plain-http"]
    assert [item[0] for item in base(tmp_path, f"HTTP://{host}")] == ["plain-http"]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "http://localhost:8080/api",
        "http://LOCALHOST:1",
        "http://api.localhost:8080",
        "http://127.0.0.1:9/",
        "http://127.8.9.10",
        "http://[::1]:8080/x",
        "https://example.com",
        "https://{{ vars.host }}/api",
        "http://{{ vars.host }}/api",
        "http://{{ vars.host | lower }}.example.com/api",
        "{{ vars.url }}/api/v2",
        "{{ vars.scheme }}://example.com",
    ],
)
def test_what_is_right_or_not_known(url: str, tmp_path: Path) -> None:
    settings = "environments: {a: {vars: {host: x.example.com, url: 'https://y', scheme: https}}}\n"
    assert base(tmp_path, url, **{"runner.yaml": settings}) == []


def test_allow_http_permits_it(tmp_path: Path) -> None:
    assert base(tmp_path, "http://example.com", "allow_http: true") == []
    assert [item[0] for item in base(tmp_path, "http://example.com", "allow_http: false")] == ["plain-http"]


def test_variables_are_put_in_where_they_are_known(tmp_path: Path) -> None:
    settings = "vars: {url: 'http://example.com', host: example.com, local: localhost}\nenvironments: {dev: {vars: {host: localhost}}}\n"
    files = {"runner.yaml": settings}
    assert [item[0] for item in base(tmp_path, "{{ vars.url }}/api", **files)] == ["plain-http"]
    assert base(tmp_path, "http://{{ vars.local }}/api", **files) == []
    text = "type: none\nbase_url: http://{{ vars.host }}/\n"
    found = findings(tmp_path, {"connections.d/c.yaml": text, **files})
    assert [item.rule for item in found] == ["plain-http"]
    assert findings(tmp_path, {"connections.d/c.yaml": text, **files}, environment="dev") == []


@pytest.mark.parametrize(
    ("url", "rules"),
    [
        ("http://example.com/x?a=b", ["plain-http"]),
        ("http://localhost/x", []),
        ("example.com", ["malformed-url"]),
        ("https://example.com/x?a=b#c", []),
    ],
)
def test_the_url_of_a_request(url: str, rules: list[str], tmp_path: Path) -> None:
    text = f"actions:\n  - id: a\n    request: {{url: '{url}'}}\n"
    assert [item.rule for item in findings(tmp_path, {"workflows.d/w.yaml": text})] == rules


def test_the_url_of_a_request_with_values(tmp_path: Path) -> None:
    text = "inputs: {host: {type: string}}\nactions:\n  - id: a\n    request: {url: 'http://{{ inputs.host }}/x'}\n  - id: b\n    request: {url: 'http://example.com/{{ inputs.host }}'}\n"
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [line[2] for line in brief(tmp_path, found)] == ["http://example.com"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("example.com", "`base_url` must be an absolute URL that starts with https:// or http://"),
        ("/api", "`base_url` must be an absolute URL that starts with https:// or http://"),
        ("//example.com", "`base_url` must be an absolute URL that starts with https:// or http://"),
        ("ftp://example.com", "`base_url` must be an absolute URL that starts with https:// or http://"),
        ("https:example.com", "`base_url` must be an absolute URL that starts with https:// or http://"),
        ("/{{ environment }}/api", "`base_url` must be an absolute URL that starts with https:// or http://"),
        ("https://", "`base_url` names no host"),
        ("https:///api", "`base_url` names no host"),
        ("https://:8080", "`base_url` has no valid host and port"),
        ("https://example.com:port", "`base_url` has no valid host and port"),
        ("https://example.com:99999", "`base_url` has a port that is not 1 to 65535"),
        ("https://exa mple.com", "`base_url` has no valid host and port"),
        ("https://bot@example.com", "`base_url` may not hold a user name"),
    ],
)
def test_malformed_urls(url: str, message: str, tmp_path: Path) -> None:
    assert base(tmp_path, url) == [("malformed-url", message, f'"{url}"')]


@pytest.mark.parametrize("style", STYLED)
@pytest.mark.parametrize(("tail", "kind"), [("?a=b", "query"), ("#top", "fragment"), ("?a=b#c", "query")])
def test_the_tail_is_underlined_in_every_style(tail: str, kind: str, style: str, tmp_path: Path) -> None:
    found = base(tmp_path, f"https://example.com/{{{{ environment }}}}/api{tail}", style=style)
    message = f"`base_url` may not have a {kind}: paths are added to its end"
    assert found == [("malformed-url", message, tail)]


def test_a_mark_inside_a_template_is_no_tail(tmp_path: Path) -> None:
    assert base(tmp_path, "https://{{ 'a' if environment == '?#' else 'b' }}.example.com") == []


def test_the_place_of_an_inherited_url_is_where_it_is_written(tmp_path: Path) -> None:
    files = {
        "connections.d/a.yaml": "type: none\nbase_url: http://example.com\n",
        "connections.d/b.yaml": "extends: a\ntimeout: 1s\n",
        "connections.d/c.yaml": "extends: a\nallow_http: true\n",
    }
    found = findings(tmp_path, files)
    assert [(item.primary.span.path, underlined(tmp_path, item.primary.span)) for item in found] == [
        ("connections.d/a.yaml", "http://example.com")
    ]


def test_urls_of_an_auth_type_are_told_what_they_are_for(tmp_path: Path) -> None:
    text = (
        "type: oauth2\nbase_url: https://example.com\nallow_http: true\nauth:\n  grant: authorization_code\n"
        "  token_url: auth.example.com/token\n  authorize_url: http://auth.example.com/authorize\n"
        "  revocation_url: http://end.example.com/revoke\n"
        "  client_id: a\n  refresh_token: vault://secret/a#token\nshared: true\n"
    )
    found = findings(tmp_path, {"connections.d/c.yaml": text})
    assert {underlined(tmp_path, item.primary.span): item.help for item in found} == {
        "auth.example.com/token": "write https:// and the host, for example https://example.com/oauth/token",
        "http://auth.example.com": "write https://; a person signs in on this page and gives consent, so `allow_http` does not permit it",
        "http://end.example.com": "write https://; a token is sent here to be revoked, so `allow_http` does not permit it",
    }
