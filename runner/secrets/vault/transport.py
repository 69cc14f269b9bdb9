"""How bytes reach Vault: TLS as the settings say, bounded retries, one safe redirect. Imported only to talk to Vault.

hvac asks through an adapter; this one replaces its own, which reads ~/.netrc, follows any redirect with the token,
knows half of the `VAULT_*` variables and drops the headers of errors.
"""

import json as json_module
import ssl
import threading
from typing import Any
from urllib.parse import urljoin, urlsplit

import certifi
import hvac
import hvac.adapters
import requests
import requests.adapters
import requests.exceptions
import urllib3

from runner.secrets.vault.explain import RefusedError, VaultProblemError, unreachable
from runner.secrets.vault.settings import VaultSettings

CONNECT_TIMEOUT = 10.0
LONGEST_WAIT = 30.0
"""Seconds that a `Retry-After` may cost; above that the answer is an error that says so."""
FIRST_WAIT = 0.5
BIGGEST_ANSWER = 64 << 20
RETRIED = frozenset({412, 429, 500, 502, 503, 504})
PARALLEL = 8
PLAIN_TO_TLS = b"HTTP request to an HTTPS server"
"""What a TLS server written in Go answers, as plain text, to somebody who speaks no TLS."""


def tls_context(settings: VaultSettings) -> ssl.SSLContext:
    """Make the TLS context: the CA that the settings name and no other, the client certificate, the checks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        _trust(context, settings)
    if settings.client_cert and settings.client_key:
        try:
            # The password keeps OpenSSL from asking on the terminal for the one of an encrypted key.
            context.load_cert_chain(settings.client_cert, settings.client_key, password="")
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "not usable"
            raise VaultProblemError(
                f"the client certificate {settings.client_cert} with the key {settings.client_key} cannot be used: "
                f"{str(reason).replace('_', ' ').lower()}",
                help=f"check both paths ({settings.client_cert_from}): PEM files, the key without a password",
                everywhere=True,
            ) from None
    return context


def _trust(context: ssl.SSLContext, settings: VaultSettings) -> None:
    try:
        if settings.ca_file or settings.ca_path or settings.ca_pem:
            if settings.ca_path and not settings.ca_path.is_dir():
                raise FileNotFoundError(2, "no such directory")
            for file in sorted(settings.ca_path.iterdir()) if settings.ca_path else ():
                # Vault's command line takes every file of the directory; OpenSSL alone only hashed names.
                if file.is_file():
                    context.load_verify_locations(cafile=file)
            if settings.ca_file:
                context.load_verify_locations(cafile=settings.ca_file)
            if settings.ca_pem:
                context.load_verify_locations(cadata=settings.ca_pem)
            return
    except (OSError, ValueError) as error:
        # ssl.SSLError is an OSError; it comes for a file without a certificate.
        reason = (
            error.strerror if not isinstance(error, ssl.SSLError) and isinstance(error, OSError) else None
        )
        raise VaultProblemError(
            f"the CA for Vault from {settings.ca_from} cannot be used: {reason or 'no PEM certificate in it'}",
            help="it must be PEM text with '-----BEGIN CERTIFICATE-----'",
            everywhere=True,
        ) from None
    context.load_default_certs()
    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not paths.capath:
        context.load_verify_locations(cafile=certifi.where())


class PinnedTls(requests.adapters.HTTPAdapter):
    """Uses one given TLS context. Without it requests would trust its own CA list beside ours."""

    def __init__(self, context: ssl.SSLContext, server_name: str | None) -> None:
        self._tls: dict[str, Any] = {"ssl_context": context}
        if server_name:
            self._tls["server_hostname"] = server_name
        super().__init__(pool_maxsize=PARALLEL)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        """Give the context to the direct connections."""
        super().init_poolmanager(connections, maxsize, block, **kwargs, **self._tls)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Give the context to the connections through a proxy."""
        return super().proxy_manager_for(proxy, **kwargs, **self._tls)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the connection alone: its context already says what is trusted."""


def open_session(settings: VaultSettings) -> requests.Session:
    """Make a session that takes nothing from the process: no ~/.netrc, no proxy and no CA behind our back."""
    session = requests.Session()
    session.trust_env = False
    session.verify = settings.verify
    if settings.proxy:
        session.proxies = {"http": settings.proxy, "https": settings.proxy}
    if not settings.verify:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    tls = PinnedTls(tls_context(settings), settings.server_name)
    session.mount("https://", tls)
    plain: requests.adapters.BaseAdapter = requests.adapters.HTTPAdapter(pool_maxsize=PARALLEL)
    if settings.socket is not None:
        from runner.secrets.vault.unix_socket import SocketAdapter

        plain = SocketAdapter(settings.socket, size=PARALLEL)
    session.mount("http://", plain)
    return session


class VaultAdapter(hvac.adapters.Adapter):  # type: ignore[misc] # hvac has no types
    """Sends one request of hvac: gives the JSON of a success, raises RefusedError or VaultProblemError otherwise."""

    def __init__(self, *, settings: VaultSettings, stop: threading.Event, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._settings = settings
        self._stop = stop

    def get_login_token(self, response: Any) -> str:
        """Take the token out of the answer to a login of hvac."""
        return str(response["auth"]["client_token"])

    def request(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        *,
        token: str | None = None,
        repeat: bool = True,
        timeout: float | None = None,
        **content: Any,
    ) -> Any:
        """Send, and send again what may help. `token` replaces the one of the client, `repeat=False` sends once."""
        headers = {**(headers or {}), "X-Vault-Request": "true"}
        if token or self.token:
            headers["X-Vault-Token"] = token or self.token
        if self.namespace:
            headers["X-Vault-Namespace"] = self.namespace
        attempts = self._settings.max_retries + 1 if repeat else 1
        for attempt in range(attempts):
            wait = min(FIRST_WAIT * 2**attempt, LONGEST_WAIT)
            last = attempt + 1 == attempts or self._stop.is_set()
            try:
                return self._follow(
                    method.upper(), self.urljoin(self.base_uri, url), headers, timeout, content
                )
            except RefusedError as refused:
                if last or refused.status not in RETRIED or "sealed" in refused.said:
                    raise
                if refused.retry_after is not None:
                    if refused.retry_after > LONGEST_WAIT:
                        raise
                    wait = refused.retry_after
            except VaultProblemError as problem:
                if last or not problem.passing:
                    raise
            self._stop.wait(wait)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _follow(
        self, method: str, url: str, headers: dict[str, str], timeout: float | None, content: dict[str, Any]
    ) -> Any:
        """Exchange, and follow one redirect: a standby names the leader, on another host but at the same path."""
        status, answer_headers, text = self._exchange(method, url, headers, timeout, content)
        if status in {301, 302, 303, 307, 308} and "Location" in answer_headers:
            target = urljoin(url, answer_headers["Location"])
            self._check_redirect(method, status, url, target)
            status, answer_headers, text = self._exchange(method, target, headers, timeout, content)
        return _judge(status, answer_headers, text)

    def _check_redirect(self, method: str, status: int, url: str, target: str) -> None:
        before, after = urlsplit(url), urlsplit(target)
        shown = f"{after.scheme}://{after.hostname}" + (f":{after.port}" if after.port else "")
        if not self._settings.follow_redirect:
            reason = "VAULT_DISABLE_REDIRECTS forbids to follow it"
        elif before.scheme == "https" and after.scheme != "https":
            reason = "that would send the token unencrypted"
        elif after.scheme not in {"http", "https"} or "@" in after.netloc or after.path != before.path:
            reason = "that is not the same request on another Vault server"
        elif method != "GET" and status not in {307, 308}:
            reason = "that would lose the body of the request"
        else:
            return
        raise VaultProblemError(
            f"Vault at {self._settings.address} redirects to {shown}: {reason}",
            help=f"put the address of the active server into {self._settings.address_from}",
            everywhere=True,
        )

    def _exchange(
        self, method: str, url: str, headers: dict[str, str], timeout: float | None, content: dict[str, Any]
    ) -> tuple[int, Any, bytes]:
        limit = timeout or self._settings.timeout
        try:
            with self.session.request(
                method,
                url,
                headers=headers,
                json=content.get("json"),
                params=content.get("params"),
                timeout=(min(CONNECT_TIMEOUT, limit), limit),
                allow_redirects=False,
                stream=True,
            ) as response:
                text = response.raw.read(BIGGEST_ANSWER + 1, decode_content=True)
                if len(text) > BIGGEST_ANSWER:
                    raise VaultProblemError(
                        "the answer of Vault is over 64 MiB",
                        help="store less under one path",
                        everywhere=True,
                    )
                return response.status_code, response.headers, text
        except (requests.exceptions.InvalidHeader, UnicodeError):
            # Its text holds the header, that is, the token.
            raise VaultProblemError(
                "the Vault token or the namespace holds a character that cannot be sent",
                help="check where the token comes from: one line, no spaces",
                everywhere=True,
            ) from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise unreachable(self._settings, error) from None


def _judge(status: int, headers: Any, text: bytes) -> Any:
    """Give the JSON of a success, an empty mapping for 204; raise what was refused."""
    try:
        body = json_module.loads(text) if text else {}
    except ValueError:
        body = None
    if 200 <= status < 300 and isinstance(body, dict):
        return body
    errors = body.get("errors") if isinstance(body, dict) else None
    texts = [str(item) for item in errors] if isinstance(errors, list) else []
    if PLAIN_TO_TLS in text:
        texts = [PLAIN_TO_TLS.decode()]
    raise RefusedError(status, texts, body, retry_after=_seconds(headers.get("Retry-After")))


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.strip().isdigit() else None


def open_client(settings: VaultSettings, stop: threading.Event) -> Any:
    """Make the hvac client. An empty token, not None: else hvac looks for one in places of its own."""

    def adapter(**kwargs: Any) -> VaultAdapter:
        return VaultAdapter(settings=settings, stop=stop, **kwargs)

    return hvac.Client(
        url=settings.url,
        token="",
        namespace=settings.namespace,
        session=open_session(settings),
        verify=settings.verify,
        adapter=adapter,
    )
