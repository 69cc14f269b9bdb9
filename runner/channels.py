"""How the server of each connection is reached in one run: its TLS, its proxy, its socket, with the secrets that belong to them."""

import dataclasses
import ssl
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from runner.client_certificate import ClientCertificate, present, read_file, read_pem
from runner.dispatch import Channel
from runner.errors import FailureError, SecretProblem, SecretsError
from runner.model import Connection
from runner.pem import ends
from runner.plan import Plan, label_of
from runner.project import Project
from runner.secret_ref import SecretRef
from runner.template import Template, render
from runner.tls import trust_only

SOON = 14 * 86400.0
"""Seconds before the end of a client certificate from which on a run warns of it."""


class Channels:
    """Makes the channels of connections; certificates are read once, and again after `forget`.

    `secret` gives the value of a reference, `register` tells the redactor of what is made of one.
    """

    def __init__(
        self,
        project: Project,
        plan: Plan,
        secret: Callable[[SecretRef], str],
        register: Callable[[str, str], None],
    ) -> None:
        self._project = project
        self._plan = plan
        self._secret = secret
        self._register = register
        self._tls: dict[str, tuple[str | None, ClientCertificate | None]] = {}

    def check(self, connections: Iterable[Connection], warn: Callable[[str], None]) -> None:
        """Read the certificates of connections, all before the first request; raises SecretsError with every problem."""
        problems: list[SecretProblem] = []
        for connection in connections:
            try:
                _, identity = self._tls[connection.name] = self._tls_of(connection)
                if identity is not None:
                    present(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), identity)
            except FailureError as problem:
                failure = problem.failure
                problems.append(
                    SecretProblem(
                        reference=f"connection '{connection.name}'",
                        message=failure.message,
                        help=failure.help,
                        spans=(failure.span or connection.locate(("tls", "cert")),),
                    )
                )
                continue
            end = ends(identity.chain) if identity else None
            if end is not None and end < time.time() + SOON:
                day = datetime.fromtimestamp(end, UTC).date()
                when = f"has expired on {day}" if end < time.time() else f"ends soon, on {day}"
                warn(f"the certificate of `tls.cert` of the connection '{connection.name}' {when}")
        if problems:
            count = len(problems)
            message = "a certificate cannot be used" if count == 1 else f"{count} certificates cannot be used"
            raise SecretsError(message, problems=tuple(problems))

    def forget(self, connection: Connection) -> None:
        """Be told that secrets of a connection have changed."""
        self._tls.pop(connection.name, None)

    def channel(
        self, connection: Connection, origin: str | None, proxy: str | None, *, connect_timeout: float
    ) -> Channel:
        """Say how a connection is reached; raises FailureError at the certificate or key that is wrong."""
        if connection.name not in self._tls:
            self._tls[connection.name] = self._tls_of(connection)
        ca, identity = self._tls[connection.name]
        names = {"vars": dict(self._project.vars), "environment": self._plan.environment}
        return Channel(
            origin=origin,
            verify=connection.tls.verify,
            ca=ca,
            identity=identity,
            connect_timeout=connect_timeout,
            proxy=proxy,
            socket=str(render(connection.socket, names)) if connection.socket is not None else None,
            http2=connection.http2,
        )

    def proxy(self, connection: Connection, rendered: Callable[[Template], Any]) -> str | None:
        """Give the URL of a connection's own proxy, with its credentials; None where it names none."""
        if connection.proxy is None:
            return None
        url = str(rendered(connection.proxy)).strip()
        login = connection.proxy_login
        if login is None:
            return url
        username, password = (
            self._secret(part) if isinstance(part, SecretRef) else part or ""
            for part in (login.username, login.password)
        )
        scheme, mark, rest = url.rpartition("://")
        return f"{scheme}{mark}{quote(username, safe='')}:{quote(password, safe='')}@{rest}"

    def _tls_of(self, connection: Connection) -> tuple[str | None, ClientCertificate | None]:
        tls = connection.tls
        ca = tls.ca
        key = "ca"
        try:
            if isinstance(ca, SecretRef):
                ca = read_pem(*self._pem(ca, "tls.ca"), kind="certificate")
            elif ca is not None:
                ca = str(self._project.root / ca)
            if ca is not None and tls.verify:
                trust_only(ca)
            if tls.cert is None:
                return ca, None
            key = "cert"
            text, name = self._pem(tls.cert, "tls.cert")
            chain = read_pem(text, name, kind="certificate")
            if tls.key is not None:
                key = "key"
                text, name = self._pem(tls.key, "tls.key")
            private = read_pem(text, name, kind="private key")
            self._register(private, f"{connection.name} tls.key")  # stored escaped, it looks otherwise
            return ca, ClientCertificate(chain, private)
        except FailureError as problem:
            place = connection.locate(("tls", key))
            raise FailureError(dataclasses.replace(problem.failure, span=place)) from None

    def _pem(self, given: str | SecretRef, key: str) -> tuple[str, str]:
        """Give the text behind a key of `tls`, and how messages name it."""
        if isinstance(given, SecretRef):
            label = label_of(self._project, given, self._plan)
            return self._secret(given), f"the secret {label} for `{key}`"
        text = read_file(self._project.root / given, given, f"`{key}`")
        return text, f"the file '{given}' of `{key}`"
