"""How a server is reached: its TLS context, its proxy, and what an error of the network or of TLS means.

Messages are ours: no text of a library is passed on, because it may hold a URL or a header.
"""

import errno
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

from runner.client_certificate import ClientCertificate, present
from runner.errors import Failure, FailureError, FailureKind
from runner.redirects import Origin

_EXPIRED, _NOT_YET_VALID = 10, 9
_HOST_MISMATCH, _ADDRESS_MISMATCH = 62, 64
_NOT_TLS = re.compile(
    r"wrong version number|http request|https proxy request|packet length too long|record layer"
)
_CLIENT_CERTIFICATE = re.compile(
    r"certificate required|bad certificate|handshake failure|unknown ca|certificate expired|certificate revoked"
    r"|certificate unknown|unsupported certificate|decrypt error"
)
"""Alerts by which a server refuses who has no client certificate, or the wrong one (RFC 8446, 6.2)."""
_ASKS_FOR_ONE = "it may ask for a client certificate: set `tls.cert` and `tls.key` of the connection"
_OF_THE_CLIENT = {
    "certificate expired": "the certificate of `tls.cert` has expired: have it renewed; check the clock of this machine",
    "certificate revoked": "the certificate of `tls.cert` was revoked: have a new one issued",
    "unknown ca": "the server does not know the CA of `tls.cert`: is this the certificate for it, with its whole chain?",
    "bad certificate": "it refuses the certificate of `tls.cert`, or asks for one where none is set",
    "certificate unknown": "it refuses the certificate of `tls.cert`, or asks for one where none is set",
    "decrypt error": "the key of `tls.key` may not belong to the certificate of `tls.cert`, or is damaged",
    "unsupported certificate": "it refuses the certificate of `tls.cert`: is it one for clients (extendedKeyUsage clientAuth)?",
}
_UNREACHABLE = {
    errno.ENETUNREACH: "the network cannot be reached",
    errno.EHOSTUNREACH: "there is no way to it",
    errno.ENETDOWN: "the network is down",
    errno.EACCES: "this machine forbids the connection",
    errno.EPERM: "this machine forbids the connection",
    errno.EADDRNOTAVAIL: "no address or port of this machine is free for it",
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "this machine has too many files open",
}


def context(
    *,
    verify: bool,
    ca: str | None,
    environ: Mapping[str, str],
    identity: ClientCertificate | None = None,
) -> ssl.SSLContext:
    """Make the context of a channel: `ca` (a path or PEM text) and no other, else SSL_CERT_FILE, SSL_CERT_DIR, the system.

    `identity` is presented to servers that ask for a certificate. Always made here: a client library given only paths
    drops some of them and reads the environment of the process.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if identity is not None:
        present(made, identity)
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif ca is not None:
        trust_only(ca, made)
    elif environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR"):
        if environ.get("SSL_CERT_FILE"):
            _trust(made, "SSL_CERT_FILE", file=environ["SSL_CERT_FILE"])
        # OpenSSL takes several directories here, and looks into them only when a certificate is checked.
        for directory in filter(None, environ.get("SSL_CERT_DIR", "").split(":")):
            _trust(made, "SSL_CERT_DIR", directory=directory)
    else:
        _trust_the_system(made)
    return made


def trust_only(ca: str, made: ssl.SSLContext | None = None) -> None:
    """Let a context trust `ca` (a path or PEM text); raises FailureError where it is none that can be used."""
    made = made or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _trust(made, "tls.ca", pem=ca) if "-----BEGIN" in ca else _trust(made, "tls.ca", file=ca)
    _check_time(made)


def _check_time(made: ssl.SSLContext) -> None:
    """Refuse CAs that have all expired: a server's certificate would be called expired in their place."""
    ends = [ssl.cert_time_to_seconds(str(found["notAfter"])) for found in made.get_ca_certs()]
    if ends and max(ends) < time.time():
        day = datetime.fromtimestamp(max(ends), UTC).date()
        raise FailureError(
            Failure(
                kind=FailureKind.TLS,
                message=f"the CA from `tls.ca` has expired on {day}",
                help="ask those who run the CA for its new certificate; check the clock of this machine",
            )
        )


def _trust_the_system(made: ssl.SSLContext) -> None:
    # The names compiled into OpenSSL: the other two would follow the environment of the process.
    paths = ssl.get_default_verify_paths()
    file, directory = Path(paths.openssl_cafile), Path(paths.openssl_capath)
    found = False
    if file.is_file():
        made.load_verify_locations(cafile=file)
        found = True
    if directory.is_dir() and next(directory.iterdir(), None):
        made.load_verify_locations(capath=directory)
        found = True
    if not found:
        import certifi

        made.load_verify_locations(cafile=certifi.where())


def _trust(
    made: ssl.SSLContext,
    key: str,
    *,
    file: str | None = None,
    directory: str | None = None,
    pem: str | None = None,
) -> None:
    where = f" {file or directory}" if pem is None else ""
    try:
        if directory and not Path(directory).is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "no such directory")
        made.load_verify_locations(cafile=file, capath=directory, cadata=pem)
    except (OSError, ValueError) as error:
        # ssl.SSLError is an OSError; it comes for a file without a certificate.
        system = isinstance(error, OSError) and not isinstance(error, ssl.SSLError)
        reason = error.strerror if system and isinstance(error, OSError) else None
        raise FailureError(
            Failure(
                kind=FailureKind.TLS,
                message=f"the CA{where} from `{key}` cannot be used: {reason or 'no PEM certificate in it'}",
                help="it must be PEM text with '-----BEGIN CERTIFICATE-----', or the path of a file with it",
            )
        ) from None


def environment_proxy(origin: Origin, environ: Mapping[str, str]) -> str | None:
    """Find the proxy for an origin in HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY; lower case wins, as in curl."""
    if _needs_no_proxy(origin, environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return None
    for name in (f"{origin.scheme}_proxy", "all_proxy"):
        for form in (name, name.upper()):
            # In a CGI program HTTP_PROXY is what a visitor sent as the header `Proxy`.
            if environ.get(form) and not (form == "HTTP_PROXY" and "REQUEST_METHOD" in environ):
                return environ[form]
    return None


def _needs_no_proxy(origin: Origin, exceptions: str) -> bool:
    host = origin.host.strip("[]").rstrip(".")
    address = None
    with suppress(ValueError):
        address = ip_address(host)
    if host == "localhost" or host.endswith(".localhost") or (address and address.is_loopback):
        return True
    for entry in re.split(r"[,\s]+", exceptions.lower()):
        if entry == "*":
            return True
        with suppress(ValueError):
            network = ip_network(entry.strip("[]"), strict=False)
            if address and address in network:
                return True
            continue
        name, _, port = entry.partition(":")
        name = name.removeprefix("*").removeprefix(".")
        if name and (not port or port == str(origin.port)) and (host == name or host.endswith(f".{name}")):
            return True
    return False


def network_failure(error: BaseException, *, place: str, host: str, handshake: bool) -> Failure | None:
    """Explain an error of name lookup, TCP or TLS; None where it is something else, for example of HTTP.

    `place` names the other side in the message, `host` is the name that was looked up or must stand in the
    certificate, `handshake` says that TLS was being set up.
    """
    causes = tuple(_chain(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(cause, place, host)
    for cause in causes:
        # The two that only say `wait` are the context of every later error of the stream.
        if isinstance(cause, ssl.SSLError) and not isinstance(
            cause, ssl.SSLWantReadError | ssl.SSLWantWriteError
        ):
            return _tls(cause, place, handshake=handshake)
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return _unknown_host(cause, host)
    for cause in causes:
        if isinstance(cause, ConnectionRefusedError):
            return unreachable(
                f"{place} refused the connection", help="is the server running, and are host and port right?"
            )
    if handshake:
        return unreachable(
            f"{place} closed the connection during the TLS handshake",
            help="does the server speak TLS on this port? Something in between may also cut the connection",
        )
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno in _UNREACHABLE:
            return unreachable(
                f"no connection to {place}: {_UNREACHABLE[cause.errno]}",
                help="check the address, the network of this machine and its firewall",
            )
    return None


def unreachable(message: str, *, help: str) -> Failure:
    """Make the failure of a connection that was refused, broke, or never came about."""
    return Failure(kind=FailureKind.CONNECTION, message=message, help=help, retryable=True)


def _unknown_host(error: socket.gaierror, host: str) -> Failure:
    if error.errno == socket.EAI_AGAIN:
        return unreachable(
            f"host '{host}' could not be looked up: the name server does not answer",
            help="check the network and the name server of this machine (/etc/resolv.conf)",
        )
    return unreachable(f"host '{host}' was not found", help="check the name for a typo, and the name server")


def _untrusted(error: ssl.SSLCertVerificationError, place: str, host: str) -> Failure:
    code = error.verify_code
    # OpenSSL's own list of reasons; the only variable part is the name that was asked for.
    reason = error.verify_message if error.verify_message.isprintable() else "not valid"
    if code in {_HOST_MISMATCH, _ADDRESS_MISMATCH}:
        message = f"the certificate of {place} is not for '{host}'"
        remedy = (
            "use the name that stands in the certificate; a wrong address or a proxy shows another one, too"
        )
    elif code == _EXPIRED:
        message = f"the certificate of {place} has expired"
        remedy = "have the server's certificate renewed; check the clock of this machine"
    elif code == _NOT_YET_VALID:
        message = f"the certificate of {place} is not valid yet"
        remedy = "check the clock of this machine, and the server's certificate"
    else:
        message = f"the certificate of {place} is not signed by a known CA: {reason}"
        remedy = "for a private CA set `tls.ca` of the connection to its PEM file, or SSL_CERT_FILE for the whole run"
    return Failure(kind=FailureKind.TLS, message=message, help=remedy)


def _tls(error: ssl.SSLError, place: str, *, handshake: bool) -> Failure:
    # Only errors that OpenSSL itself raised have a reason, a constant such as WRONG_VERSION_NUMBER.
    reason = (error.reason or "").replace("_", " ").lower()
    ended = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or not reason
    if _NOT_TLS.search(reason):
        return Failure(
            kind=FailureKind.TLS,
            message=f"the server at {place} does not speak TLS",
            help="write http:// if it really has none (a connection needs `allow_http: true`), else check the port",
        )
    if match := _CLIENT_CERTIFICATE.search(reason):
        return Failure(
            kind=FailureKind.TLS,
            message=f"{place} refused the TLS handshake: {reason}",
            help=_OF_THE_CLIENT.get(match[0], _ASKS_FOR_ONE),
        )
    if ended and handshake:
        return unreachable(
            f"{place} closed the connection during the TLS handshake",
            help="does the server speak TLS on this port? It may also want a client certificate",
        )
    return Failure(
        kind=FailureKind.TLS,
        message=f"TLS with {place} failed: {reason or 'it was cut off'}",
        help="check the TLS versions and ciphers of the server, and what stands between",
        retryable=True,
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk everything an error was made of: causes, and the members of groups."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions
        waiting += [current.__cause__, current.__context__]
