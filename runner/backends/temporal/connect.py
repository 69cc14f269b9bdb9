"""A connection to a Temporal server, set up by the variables that Temporal's own tools read.

TEMPORAL_API_KEY, TEMPORAL_TLS, TEMPORAL_TLS_CLIENT_CERT_PATH (or _DATA), TEMPORAL_TLS_CLIENT_KEY_PATH (or _DATA),
TEMPORAL_TLS_SERVER_CA_CERT_PATH (or _DATA) and TEMPORAL_TLS_SERVER_NAME, as in
https://docs.temporal.io/references/client-environment-configuration. RUNNER_ENGINE_KEY seals the payloads. Each of them
may be a secret reference.
"""

import asyncio
import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from runner import secret_ref
from runner.backends.temporal.address import Address
from runner.errors import SecretsError, UsageError
from runner.source import whole_file

if TYPE_CHECKING:
    from temporalio.client import Client, TLSConfig
    from temporalio.runtime import Runtime

    from runner.sensitive import Redactor

WAITED = 10.0
"""Seconds for a connection to come about."""

API_KEY = "TEMPORAL_API_KEY"
_SECRET = (API_KEY, "TEMPORAL_TLS_CLIENT_KEY_DATA", "RUNNER_ENGINE_KEY")
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
                api_key=values.get(API_KEY),
                tls=tls,
                data_converter=codec.converter(codec.read_key(sealing) if sealing else None),
                runtime=_runtime(),
            )
    except (RuntimeError, OSError, TimeoutError) as problem:
        raise _unreachable(address, problem, given=API_KEY in values) from None


async def api_key(environ: Mapping[str, str], redactor: "Redactor") -> str | None:
    """Read the API key anew: where it is a secret reference, it may be another one by now. Raises SecretsError."""
    others = {*_SECRET, *_OPEN} - {API_KEY}
    values = await _values({name: text for name, text in environ.items() if name not in others}, redactor)
    return values.get(API_KEY)


def not_let_in(address: Address, *, given: bool, known: bool) -> SecretsError:
    """Say that the engine lets nobody in with this API key, or with none; `known` says that it knows the key."""
    if known:
        return SecretsError(
            f"the engine {address} does not permit this to the API key or certificate that it was given",
            help=f"it must be permitted to work in the namespace '{address.namespace}'",
        )
    if given:
        return SecretsError(
            f"the engine {address} does not accept the API key",
            help=f"set {API_KEY} to a key that is valid for the namespace '{address.namespace}'; keys expire, and are revoked",
        )
    return SecretsError(
        f"the engine {address} asks for an API key", help=f"set {API_KEY}, or refer to it in Vault"
    )


def _unreachable(address: Address, problem: Exception, *, given: bool) -> SecretsError:
    text = str(problem).lower()
    if "unauthenticated" in text or "permissiondenied" in text:
        return not_let_in(address, given=given, known="unauthenticated" not in text)
    seen = (
        f"no answer within {WAITED:.0f} s" if isinstance(problem, TimeoutError) else "the connection failed"
    )
    other = (seen, f"{_RUNNING}; TEMPORAL_TLS says whether it speaks TLS")
    said, remedy = next((told for mark, told in _CAUSES.items() if mark in text), other)
    return SecretsError(f"the engine {address} cannot be reached: {said}", help=remedy)


_RUNNING = "check the address, and that the server runs"
_CAUSES = {
    "certificate": (
        "its certificate is not trusted",
        "set TEMPORAL_TLS_SERVER_CA_CERT_PATH to the CA of the server",
    ),
    "refused": ("the connection was refused", _RUNNING),
    "dns": ("its name is not known", _RUNNING),
}


@cache
def _runtime() -> "Runtime":
    """Give the one runtime of the process; what Temporal's own threads log goes the way of all that is logged."""
    from temporalio.runtime import (
        LogForwardingConfig,
        LoggingConfig,
        Runtime,
        TelemetryConfig,
        TelemetryFilter,
    )

    forwarding = LogForwardingConfig(
        logging.getLogger("temporalio"), append_target_to_name=False, prepend_target_on_message=False
    )
    wanted = TelemetryFilter(core_level="WARN", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(wanted, forwarding=forwarding)))


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
    return wanted in ("1", "true") if wanted else API_KEY in values


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
