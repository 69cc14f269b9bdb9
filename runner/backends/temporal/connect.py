"""A connection to a Temporal server, set up by the variables that Temporal's own tools read.

TEMPORAL_API_KEY, TEMPORAL_TLS, TEMPORAL_TLS_CLIENT_CERT_PATH (or _DATA), TEMPORAL_TLS_CLIENT_KEY_PATH (or _DATA),
TEMPORAL_TLS_SERVER_CA_CERT_PATH (or _DATA) and TEMPORAL_TLS_SERVER_NAME, as in
https://docs.temporal.io/references/client-environment-configuration. RUNNER_ENGINE_KEY seals the payloads. Each of them
may be a secret reference.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runner import secret_ref
from runner.backends.temporal.address import Address
from runner.errors import SecretsError, UsageError
from runner.source import whole_file

if TYPE_CHECKING:
    from temporalio.client import Client, TLSConfig

    from runner.sensitive import Redactor

WAITED = 10.0
"""Seconds for a connection to come about."""

_SECRET = ("TEMPORAL_API_KEY", "TEMPORAL_TLS_CLIENT_KEY_DATA", "RUNNER_ENGINE_KEY")
_OPEN = ("TEMPORAL_TLS_CLIENT_CERT_DATA", "TEMPORAL_TLS_SERVER_CA_CERT_DATA")


async def connect(address: Address, environ: Mapping[str, str], redactor: "Redactor") -> "Client":
    """Connect; raises UsageError for wrong settings, SecretsError where the server or a secret is unavailable."""
    try:
        from temporalio.client import Client
    except ImportError:
        raise UsageError(
            "running on an engine takes Temporal's package, which is not installed",
            help="pip install 'runner.d[temporal]'",
        ) from None
    from runner.backends.temporal import codec

    values = await _values(environ, redactor)
    sealing = values.get("RUNNER_ENGINE_KEY")
    tls = _tls(environ, values)
    try:
        async with asyncio.timeout(WAITED):
            return await Client.connect(
                address.host,
                namespace=address.namespace,
                api_key=values.get("TEMPORAL_API_KEY"),
                tls=tls,
                data_converter=codec.converter(codec.read_key(sealing) if sealing else None),
            )
    except (RuntimeError, OSError, TimeoutError) as problem:
        raise SecretsError(
            f"the engine {address} cannot be reached: {redactor.text(_reason(problem))}",
            help="check the address, and that the server runs; with TLS set TEMPORAL_TLS_SERVER_CA_CERT_PATH",
        ) from None


def _reason(problem: Exception) -> str:
    if isinstance(problem, TimeoutError):
        return f"no answer within {WAITED:.0f} s"
    text = str(problem).lower()
    for mark, said in (
        ("certificate", "its certificate is not trusted"),
        ("refused", "the connection was refused"),
        ("dns", "its name is not known"),
        ("unauthenticated", "the API key is not accepted"),
        ("permission", "the API key may not do this"),
    ):
        if mark in text:
            return said
    return "the connection failed"


def _tls(environ: Mapping[str, str], values: Mapping[str, str]) -> "TLSConfig | bool":
    from temporalio.client import TLSConfig

    cert = _pem("TEMPORAL_TLS_CLIENT_CERT", environ, values)
    key = _pem("TEMPORAL_TLS_CLIENT_KEY", environ, values)
    ca = _pem("TEMPORAL_TLS_SERVER_CA_CERT", environ, values)
    name = environ.get("TEMPORAL_TLS_SERVER_NAME") or None
    if (cert is None) != (key is None):
        raise UsageError(
            "a client certificate takes both TEMPORAL_TLS_CLIENT_CERT_* and TEMPORAL_TLS_CLIENT_KEY_*"
        )
    if cert or ca or name:
        return TLSConfig(server_root_ca_cert=ca, domain=name, client_cert=cert, client_private_key=key)
    wanted = environ.get("TEMPORAL_TLS", "").lower()
    return wanted in ("1", "true") if wanted else "TEMPORAL_API_KEY" in values


def _pem(name: str, environ: Mapping[str, str], values: Mapping[str, str]) -> bytes | None:
    if data := values.get(f"{name}_DATA"):
        return data.encode()
    path = environ.get(f"{name}_PATH")
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        raise UsageError(f"{name}_PATH: '{path}' cannot be read: {problem.strerror}") from None


async def _values(environ: Mapping[str, str], redactor: "Redactor") -> dict[str, str]:
    """Read the variables, and the secrets that they refer to."""
    given = {name: environ[name].strip() for name in (*_SECRET, *_OPEN) if environ.get(name, "").strip()}
    refs = {
        name: secret_ref.parse(text, whole_file(name)).resolve(user=None, environment=None, variables={})
        for name, text in given.items()
        if secret_ref.looks_like_reference(text)
    }
    if refs:
        from runner.secrets.vault import VaultSource

        source = VaultSource(
            {},
            environ,
            warn=lambda _: None,
            run_timeout=None,
            register=redactor.add,
            directory=Path.cwd(),
        )
        try:
            read = await source.read(list(set(refs.values())))
        finally:
            await source.close()
        given |= {name: read[ref].reveal() for name, ref in refs.items()}
    for name in _SECRET:
        if name in given:
            redactor.add(given[name], name)
    return given
