"""Starts the OAuth server of the tests, and says what it should do and asks what it saw.

It consents by itself, rotates refresh tokens, and revokes a whole consent when a refresh token comes twice.
"""

import contextlib
import http.cookiejar
import json
import os
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.npm import installed
from tests.servers.certificates import Authority

HERE = Path(__file__).parent
CLIENT_SECRET = "s3cret/of+the=client-0123456789"
START = 60.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""


class OAuthServer:
    """A running server, at `address` and over TLS at `secure`. `private_key` is that of its client `signed`."""

    def __init__(self, address: str, secure: str, private_key: str) -> None:
        self.address = address
        self.secure = secure
        self.private_key = private_key

    def control(self, what: str, **query: Any) -> Any:
        """Ask or tell the server: `counts`, `set`, `token`, `revoke`, `alive`, `device`."""
        return json.loads(self._get(f"{self.address}/control/{what}?{urlencode(query)}"))

    def set(self, **values: Any) -> None:
        """Change what it does: `lifetime` (s), `delay` (ms), `decline`, `token_answer`."""
        self.control("set", **{name: json.dumps(value) for name, value in values.items()})

    def token_calls(self, kind: str) -> int:
        """Count answers of the token endpoint by grant type, or by error."""
        return int(self.control("counts")["token"].get(kind, 0))

    def consented(self, client: str = "post") -> dict[str, str]:
        """Give the tokens of a consent that was given before."""
        made: dict[str, str] = self.control("token", client=client)
        return made

    def alive(self, refresh_token: str) -> bool:
        """Tell whether a refresh token can still be used."""
        return bool(self.control("alive", token=refresh_token)["alive"])

    def browse(self, url: str) -> str:
        """Follow the redirects of a consent as a browser would; gives the body of the last page."""
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)
        try:
            with opener.open(url, timeout=20) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()

    def address_after(self, url: str) -> str:
        """Follow a consent up to the address that leads away from the server, as a browser that cannot reach it shows it."""
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar, _NoRedirect())
        for _ in range(10):
            try:
                with opener.open(url, timeout=20) as response:
                    raise AssertionError(response.read().decode())
            except urllib.error.HTTPError as error:
                with error:
                    url = urljoin(url, error.headers["Location"])
            if not url.startswith(self.address):
                return url
        raise AssertionError("it leads nowhere")

    def _get(self, url: str) -> bytes:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=20) as response:
            body: bytes = response.read()
            return body


@contextlib.contextmanager
def running(authority: Authority) -> Iterator[OAuthServer]:
    """Start a server, and stop it. Over TLS it shows a certificate of the authority, and trusts clients that have one."""
    folder = installed(HERE)
    shutil.copy(HERE / "server.mjs", folder / "server.mjs")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    from jwt.algorithms import RSAAlgorithm

    own = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    shown = authority.server()
    setup = {
        "secret": CLIENT_SECRET,
        "tls": {
            "cert": shown.certificate.read_text(),
            "key": shown.key.read_text(),
            "ca": authority.ca_file.read_text(),
        },
        "public_key": public.decode(),
        "jwk": {**own, "use": "sig", "alg": "RS256", "kid": "own"},
    }
    process = subprocess.Popen(
        ["node", "server.mjs"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={"PATH": os.environ.get("PATH", ""), "SETUP": json.dumps(setup), "NODE_ENV": "test"},
    )
    try:
        address, secure = _address(process).split()
        yield OAuthServer(address, secure, pem)
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout:
            process.stdout.close()


def _address(process: subprocess.Popen[str]) -> str:
    """Read until it says where it listens, and go on reading so that its output never blocks it."""
    assert process.stdout is not None
    said: list[str] = []
    found = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in process.stdout:
                said.append(line)
                if line.startswith("listening on "):
                    found.set()
        found.set()

    threading.Thread(target=read, daemon=True).start()
    assert found.wait(START), "the OAuth server did not start"
    address = next((line for line in said if line.startswith("listening on ")), None)
    assert address, "".join(said)
    return address.removeprefix("listening on ").strip()
