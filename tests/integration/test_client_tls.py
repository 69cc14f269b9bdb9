"""TLS with real certificates: whom the client trusts, and what it says of whom it does not."""

import ssl
from pathlib import Path

import pytest

from runner.errors import FailureKind
from tests.servers.certificates import Authority
from tests.servers.faults import faults
from tests.servers.http import Server, reply
from tests.servers.listeners import hanging_up_port, plain_port
from tests.servers.relays import Tunnel
from tests.servers.wire import failing, send


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def other(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "other")


def test_each_way_to_name_the_ca(authority: Authority, other: Authority, tmp_path: Path) -> None:
    hashed = tmp_path / "hashed"
    hashed.mkdir()
    with faults(tls=authority.server_context()) as server:
        url = f"{server.url}/echo"
        by_path = {"ca": str(authority.ca_file)}
        assert send(url, channel=by_path).status == 200
        assert send(url, channel={"ca": authority.ca_file.read_text()}).status == 200
        assert send(url, environ={"SSL_CERT_FILE": str(authority.ca_file)}).status == 200
        both = {"SSL_CERT_FILE": str(authority.ca_file), "SSL_CERT_DIR": str(hashed)}
        assert send(url, environ=both).status == 200
        assert send(url, channel={"verify": False}).status == 200
        # The channel's own CA is the only one.
        environ = {"SSL_CERT_FILE": str(authority.ca_file)}
        assert failing(url, channel={"ca": str(other.ca_file)}, environ=environ).failure.kind == "tls"


def test_the_environment_of_the_process_is_not_read(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    with faults(tls=authority.server_context()) as server:
        assert failing(f"{server.url}/echo").failure.kind == "tls"


@pytest.mark.parametrize("content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nxx\n"])
def test_a_ca_that_cannot_be_used(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    error = failing("https://127.0.0.1:9/", channel={"ca": str(path)})
    assert (error.failure.kind, error.failure.retryable, error.sent) == (FailureKind.TLS, False, False)
    reason = "No such file or directory" if content is None else "no PEM certificate in it"
    assert error.failure.message == f"the CA {path} from `tls.ca` cannot be used: {reason}"


def test_an_unknown_ca(authority: Authority) -> None:
    with faults(tls=authority.server_context()) as server:
        error = failing(f"{server.url}/echo")
        assert server.count() == 0
    assert (error.failure.kind, error.failure.retryable, error.sent) == (FailureKind.TLS, False, False)
    assert "is not signed by a known CA" in error.failure.message
    assert "`tls.ca`" in str(error.failure.help)


def test_an_expired_certificate(authority: Authority) -> None:
    with faults(tls=authority.server_context(expired=True)) as server:
        error = failing(f"{server.url}/echo", channel={"ca": str(authority.ca_file)})
    assert (error.failure.kind, error.failure.retryable, error.sent) == (FailureKind.TLS, False, False)
    place = server.url.removeprefix("https://")
    assert error.failure.message == f"the certificate of {place} has expired"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_for_another_name(host: str, authority: Authority) -> None:
    with faults(tls=authority.server_context("api.test")) as server:
        url = f"https://{host}:{server.port}/echo"
        error = failing(url, channel={"ca": str(authority.ca_file)})
    assert (error.failure.kind, error.failure.retryable, error.sent) == (FailureKind.TLS, False, False)
    assert error.failure.message == f"the certificate of {host}:{server.port} is not for '{host}'"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_client_certificate(version: ssl.TLSVersion, authority: Authority) -> None:
    context = authority.server_context(require_client=True)
    context.minimum_version = context.maximum_version = version
    with faults(tls=context) as server:
        error = failing(f"{server.url}/echo", channel={"ca": str(authority.ca_file)})
        assert server.count() == 0
    if error.failure.kind is FailureKind.TLS:
        assert "refused the TLS handshake" in error.failure.message
        assert "client certificate" in str(error.failure.help)
    else:
        # With TLS 1.3 the reset of the connection can overtake the alert.
        assert version is ssl.TLSVersion.TLSv1_3
        assert "closed the connection before it answered" in error.failure.message


def test_old_tls_is_refused(authority: Authority) -> None:
    context = authority.server_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with faults(tls=context) as server:
        error = failing(f"{server.url}/echo", channel={"ca": str(authority.ca_file)})
    assert (error.failure.kind, error.sent) == (FailureKind.TLS, False)


def test_tls_to_a_port_without_it() -> None:
    with plain_port() as port:
        error = failing(f"https://127.0.0.1:{port}/")
    assert (error.failure.kind, error.failure.retryable, error.sent) == (FailureKind.TLS, False, False)
    assert error.failure.message == f"the server at 127.0.0.1:{port} does not speak TLS"


def test_a_server_that_hangs_up_in_the_handshake() -> None:
    with hanging_up_port() as port:
        error = failing(f"https://127.0.0.1:{port}/")
    assert (error.failure.kind, error.failure.retryable, error.sent) == (FailureKind.CONNECTION, True, False)
    assert error.failure.message == f"127.0.0.1:{port} closed the connection during the TLS handshake"


@pytest.mark.parametrize("path", ["/close", "/reset"])
def test_a_connection_that_breaks_under_tls(path: str, authority: Authority) -> None:
    with faults(tls=authority.server_context()) as server:
        error = failing(server.url + path, channel={"ca": str(authority.ca_file)})
    assert (error.failure.kind, error.failure.retryable, error.sent) == (FailureKind.CONNECTION, True, True)
    assert "closed the connection before it answered" in error.failure.message


def test_http_to_a_port_with_tls(authority: Authority) -> None:
    with faults(tls=authority.server_context()) as server:
        error = failing(server.url.replace("https:", "http:") + "/")
    assert error.failure.kind in {FailureKind.PROTOCOL, FailureKind.CONNECTION}
    assert error.sent
    # What a server with OpenSSL sends where it says anything: an alert.
    with hanging_up_port(b"\x15\x03\x01\x00\x02\x02\x46") as port:
        error = failing(f"http://127.0.0.1:{port}/")
    assert error.failure.kind is FailureKind.PROTOCOL
    assert "https://" in str(error.failure.help)


# --- proxies


def test_a_tunnel_to_a_host_that_only_the_proxy_knows(authority: Authority) -> None:
    with Server({"GET /x": lambda _: reply({})}, tls=authority.server_context("api.test")) as server:
        ca = {"ca": str(authority.ca_file)}
        with Tunnel(server.port) as tunnel:
            assert send("https://api.test/x", channel={**ca, "proxy": tunnel.url}).status == 200
            for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
                assert send("https://api.test/x", channel=ca, environ={name: tunnel.url}).status == 200
            assert tunnel.targets == ["api.test:443"] * 4
            # Loopback is never asked for through the environment's proxy.
            own = {**ca, "verify": False}
            url = f"{server.url}/x"
            assert send(url, channel=own, environ={"HTTPS_PROXY": tunnel.url}).status == 200
            assert len(tunnel.targets) == 4
    assert all("proxy" not in name.lower() for request in server.requests for name, _ in request.headers)


def test_tls_is_checked_through_a_tunnel(authority: Authority) -> None:
    with faults(tls=authority.server_context("other.test")) as server, Tunnel(server.port) as tunnel:
        channel = {"ca": str(authority.ca_file), "proxy": tunnel.url}
        error = failing("https://api.test/echo", channel=channel)
    assert error.failure.message == "the certificate of api.test:443 is not for 'api.test'"
    # The proxy was asked, the server was not.
    assert not error.sent


def test_http_through_a_proxy() -> None:
    with faults() as proxy:
        environ = {"HTTP_PROXY": proxy.url.replace("//", "//al:pa%40ss@")}
        send("http://api.test/x?a=1", environ=environ)
        request = proxy.requests[0]
    assert request.target.startswith("http://api.test/x?a=1&api_key=")
    assert request.header("Proxy-Authorization") == "Basic YWw6cGFAc3M="
    assert request.header("Host") == "api.test"


def test_a_proxy_that_refuses() -> None:
    with faults() as proxy:
        proxy_url = proxy.url.replace("//", "//al:pass-word@")
        error = failing("https://api.test/x", channel={"proxy": proxy_url})
    assert (error.failure.kind, error.failure.retryable, error.sent) == (FailureKind.CONNECTION, True, False)
    place = proxy.url.removeprefix("http://")
    assert error.failure.message == f"the proxy {place} did not open a way to api.test:443 (status 404)"
    assert "pass-word" not in str(error.failure)


def test_a_proxy_that_is_not_there() -> None:
    error = failing("https://api.test/x", environ={"ALL_PROXY": "http://al:pass-word@127.0.0.1:9"})
    assert error.failure.message == "the proxy 127.0.0.1:9 refused the connection"
    error = failing("https://api.test/x", environ={"ALL_PROXY": "ftp://al:pass-word@127.0.0.1:9"})
    assert error.failure.message == "the URL of the proxy is not valid"
    assert not error.sent
