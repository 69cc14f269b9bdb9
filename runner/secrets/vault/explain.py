"""What went wrong with Vault, in words: its answers and the network's errors turned into cause and remedy."""

import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from runner.secrets.vault.settings import VaultSettings

LONGEST_QUOTE = 500
"""Characters of an answer that are shown: enough for every text of Vault, too few to flood a log."""

PROBE_TIMEOUT = 2.0
"""Seconds to find out whether it is TLS that is spoken where plain HTTP broke."""

_NO_SUCH_HOST = frozenset({"NameResolutionError", "LocationParseError", "InvalidURL"})
"""Errors of the libraries, by name: nobody has such a host, or nobody can (`a..b`)."""


class VaultProblemError(Exception):
    """Why there is no value, ready to be shown.

    `everywhere`: it concerns every reference (unreachable, sealed, token dead) and is reported once.
    `passing`: asking again later may help, so it is not remembered.
    `absent`: nothing is stored there.
    """

    def __init__(
        self,
        message: str,
        *,
        help: str,
        everywhere: bool = False,
        passing: bool = False,
        absent: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.everywhere = everywhere
        self.passing = passing
        self.absent = absent


class RefusedError(Exception):
    """An answer of Vault other than success: what it said, not yet what it means."""

    def __init__(
        self, status: int, errors: Sequence[str] = (), body: Any = None, *, retry_after: float | None = None
    ) -> None:
        super().__init__(f"Vault answered {status}")
        self.status = status
        self.errors = tuple(errors)
        self.body = body
        self.retry_after = retry_after

    @property
    def said(self) -> str:
        """The texts of the answer, cleaned for printing; empty where it had none."""
        return clean("; ".join(self.errors))

    @property
    def token_dead(self) -> bool:
        """Whether Vault does not know the token any more.

        A denial by policy says `1 error occurred: * permission denied`; a bare `permission denied` is about the
        token itself. Newer servers add `invalid token`.
        """
        if self.status != 403:
            return False
        return self.said == "permission denied" or "invalid token" in self.said

    @property
    def preflight(self) -> bool:
        """Whether the question for the mount was refused: no right below it, or no such mount."""
        return self.status == 403 and "preflight capability check" in self.said

    @property
    def denied(self) -> bool:
        """Whether a policy is in the way."""
        return self.status == 403 and not self.token_dead and not self.preflight


def clean(text: str) -> str:
    """Make a server's text safe to print: one line, no control characters, at most 500 characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= LONGEST_QUOTE else line[:LONGEST_QUOTE] + "…"


def scrub(text: str, values: Iterable[str]) -> str:
    """Blank values that must not be shown, should a server repeat one of them."""
    for value in sorted((value for value in values if len(value) >= 6), key=len, reverse=True):
        text = text.replace(value, "***")
    return text


def dead_token(origin: str, *, through_agent: bool) -> VaultProblemError:
    """Explain that Vault no longer knows the token."""
    if through_agent and not origin:
        return VaultProblemError(
            "the Vault agent has no valid token of its own",
            help="look at the agent's log: its auto-auth login fails or has not happened yet",
            everywhere=True,
            passing=True,
        )
    return VaultProblemError(
        f"Vault does not accept the token from {origin}: it has expired, was revoked or is used up",
        help="log in again (vault login) or put a fresh token there; for unattended runs set vault.auth in runner.yaml",
        everywhere=True,
    )


def general(
    settings: VaultSettings, refused: RefusedError, health: Mapping[str, Any] | None
) -> VaultProblemError:
    """Explain an answer that has nothing to do with one secret: sealed, overloaded, not Vault at all."""
    address, said = settings.address, refused.said
    if refused.status in {501, 503} and (health is not None or "sealed" in said.lower()):
        if health and health.get("initialized") is False:
            return VaultProblemError(
                f"Vault at {address} is not initialized",
                help="initialize it: vault operator init",
                everywhere=True,
            )
        if health is None or health.get("sealed"):
            return VaultProblemError(
                f"Vault at {address} is sealed",
                help="unseal it (vault operator unseal), or ask those who run it",
                everywhere=True,
                passing=True,
            )
    if refused.status == 429:
        wait = f"; it asks to wait {refused.retry_after:.0f} s" if refused.retry_after else ""
        return VaultProblemError(
            f"Vault at {address} limits the rate of requests{wait}",
            help="run again later, or ask for a higher quota (vault read sys/quotas/rate-limit/NAME)",
            everywhere=True,
            passing=True,
        )
    if "HTTP request to an HTTPS server" in said:
        return _speaks_https(settings)
    if "namespace not found" in said:
        return VaultProblemError(
            f"Vault has no namespace '{settings.namespace}'",
            help=f"check {settings.namespace_from}",
            everywhere=True,
        )
    if not isinstance(refused.body, dict) or refused.status < 300:
        what = "JSON of something else" if isinstance(refused.body, dict) else "no JSON"
        return VaultProblemError(
            f"what answers at {address} is not Vault (status {refused.status}, {what})",
            help=f"check {settings.address_from}; a proxy or a load balancer may stand in between",
            everywhere=True,
            passing=True,
        )
    detail = f": {said}" if said else ""
    return VaultProblemError(
        f"Vault at {address} answered {refused.status}{detail}",
        help="look at the server's log; it is not about one secret",
        everywhere=True,
        passing=True,
    )


def unreachable(settings: VaultSettings, error: BaseException) -> VaultProblemError:
    """Explain an error of the network or of TLS. The library's own text is never shown: it can hold headers."""
    causes = tuple(_chain(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _untrusted(settings, cause)
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return _tls(settings, cause)
    names = {type(cause).__name__ for cause in causes}
    host = urlsplit(settings.proxy or settings.address).hostname
    where = (
        f"the proxy {host} (for Vault at {settings.address})"
        if settings.proxy
        else f"Vault at {settings.address}"
    )
    from_where = settings.proxy_from if settings.proxy else settings.address_from
    if any(isinstance(cause, socket.gaierror) for cause in causes) or names & _NO_SUCH_HOST:
        message, remedy = f"the host '{host}' is not known", f"check {from_where} and the name server"
    elif settings.socket is not None and (problem := _of_a_socket(settings, causes)) is not None:
        return problem
    elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        message = f"{where} refused the connection"
        remedy = f"is it running, and is the port right? The address is from {from_where}"
    elif names & {"ConnectTimeout", "ConnectTimeoutError"}:
        message = f"{where} did not answer the connection in time"
        remedy = f"a firewall may drop it; the address is from {from_where}"
    elif names & {"ReadTimeout", "ReadTimeoutError"} or any(isinstance(c, TimeoutError) for c in causes):
        message = f"{where} took the request and did not answer within {settings.timeout:g} s"
        remedy = "Vault or its storage is overloaded; VAULT_CLIENT_TIMEOUT sets the limit"
    elif "ProxyError" in names:
        message, remedy = f"{where} did not let the request through", f"check {from_where}"
    elif settings.address.startswith("http:") and not settings.proxy and _answers_tls(settings):
        # A server of TLS says so in words and closes; with more still to be read, the words get lost.
        return _speaks_https(settings)
    else:
        message = f"the connection to {where} broke"
        remedy = f"is it Vault that listens there? The address is from {from_where}"
        if settings.address.startswith("https:") and not settings.client_cert:
            remedy += "; it may also want a client certificate: VAULT_CLIENT_CERT and VAULT_CLIENT_KEY"
    return VaultProblemError(message, help=remedy, everywhere=True, passing=True)


def _of_a_socket(settings: VaultSettings, causes: Sequence[BaseException]) -> VaultProblemError | None:
    known: tuple[tuple[type[OSError], str, str], ...] = (
        (FileNotFoundError, "is not there", "does the agent run, and does it listen there?"),
        (ConnectionRefusedError, "has nobody who listens", "does the agent run?"),
        (PermissionError, "may not be used by this user", "check its group, and as whom the run goes"),
    )
    for kind, what, remedy in known:
        if any(isinstance(cause, kind) for cause in causes):
            message = f"the socket {settings.socket} {what}"
            told = f"{remedy}; the address is from {settings.address_from}"
            return VaultProblemError(message, help=told, everywhere=True, passing=True)
    return None


def _speaks_https(settings: VaultSettings) -> VaultProblemError:
    return VaultProblemError(
        f"{settings.address} speaks HTTPS, not HTTP",
        help=f"write https:// in {settings.address_from}",
        everywhere=True,
    )


def _answers_tls(settings: VaultSettings) -> bool:
    """Whether a handshake of TLS succeeds there; nothing else is sent."""
    address = urlsplit(settings.address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((address.hostname or "", address.port or 80), PROBE_TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=address.hostname),
        ):
            return True
    except OSError:  # ssl.SSLError is one
        return False


def _untrusted(settings: VaultSettings, error: ssl.SSLCertVerificationError) -> VaultProblemError:
    reason = clean(getattr(error, "verify_message", "") or "not valid")
    host = settings.server_name or urlsplit(settings.address).hostname
    if "ostname mismatch" in reason or "IP address mismatch" in reason:
        return VaultProblemError(
            f"the certificate of Vault at {settings.address} is not for '{host}'",
            help="use the name that stands in the certificate, or set VAULT_TLS_SERVER_NAME to it",
            everywhere=True,
        )
    if "expired" in reason or "not yet valid" in reason:
        return VaultProblemError(
            f"the certificate of Vault at {settings.address} is out of its dates: {reason}",
            help="renew the server's certificate; check the clock of this machine",
            everywhere=True,
        )
    return VaultProblemError(
        f"the certificate of Vault at {settings.address} is not signed by a trusted CA: {reason}",
        help=f"the CA was taken from {settings.ca_from}; set VAULT_CACERT, or vault.ca_cert in runner.yaml, to the right one",
        everywhere=True,
    )


def _tls(settings: VaultSettings, error: ssl.SSLError) -> VaultProblemError:
    # Only errors that OpenSSL itself raised have a reason.
    given = getattr(error, "reason", None) or ""
    reason = clean(given).replace("_", " ").lower()
    if re.search(r"wrong version number|http request|record layer failure", reason):
        return VaultProblemError(
            f"{settings.address} does not speak HTTPS",
            help=f"write http:// in {settings.address_from} if this server really has no TLS, else check the port",
            everywhere=True,
        )
    # A server that wants a certificate sends an alert, but often closes before it can be read.
    ended = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or not given
    if ended or re.search(r"certificate required|handshake failure|bad certificate|eof", reason):
        reason = "it closed the connection" if ended else reason
        return VaultProblemError(
            f"Vault at {settings.address} refused the TLS handshake: {reason}",
            help="it may want a client certificate: set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY",
            everywhere=True,
        )
    return VaultProblemError(
        f"TLS with Vault at {settings.address} failed: {reason}",
        help="check the server's TLS settings and what stands between",
        everywhere=True,
        passing=True,
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Walk everything an error was made of: libraries wrap the cause in arguments, `reason` and `__context__`."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]
