"""How far an exchange got, and what it means when it fails there.

Messages are ours: no text of a library is passed on, because it may hold a URL or a header.
"""

import errno
from typing import Literal

from runner.duration import written
from runner.errors import Failure, FailureKind
from runner.redirects import Origin
from runner.tls import network_failure, unreachable

LONGEST_SOCKET = 100
"""Bytes of a path up to which every system takes it for a socket; Linux takes 107."""
SLOW = "if the server is only slow, raise `timeout` of the {}"
Phase = Literal["start", "connect", "proxy", "tls", "upload", "answer", "body"]


class Progress:
    """How far an exchange got: what it waits for, and whether a byte was sent. Transports tell it, messages come from it."""

    __slots__ = ("_connect_timeout", "_origin", "_peer", "_timeout", "phase", "proxied", "sent")

    def __init__(self, *, timeout: float, connect_timeout: float) -> None:
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._origin: Origin | None = None
        self._peer = ""
        self.sent = False
        """False only where it is certain that no byte of a request was written."""
        self.proxied = False
        self.phase: Phase = "start"

    def begin(self, origin: Origin) -> None:
        """Start with the next request of the exchange."""
        self._origin = origin
        self._peer = origin.place
        self.phase = "start"

    def connecting(self, peer: str | None = None) -> None:
        """Be told that a connection is being made: to the server, or to `peer` (host:port), a proxy."""
        self.phase = "connect"
        self._peer = peer or self._peer

    def sending(self) -> None:
        """Be told that from now on bytes of the request may have been written."""
        self.phase = "answer"
        self.sent = True

    @property
    def place(self) -> str:
        """The other side, as messages name it."""
        if self.proxied and self.phase in {"start", "connect", "proxy"}:
            return f"the proxy {self._peer}"
        return self._origin.place if self._origin else "the server"

    def timed_out(self) -> Failure:
        """Say what did not come about within the time of the attempt."""
        timeout = written(self._timeout)
        if self.phase in {"connect", "proxy", "tls"}:
            what = f"no connection to {self.place} within {timeout}"
        elif self.phase == "upload":
            what = f"{self.place} did not take the body of the request within {timeout}"
        elif self.phase == "body":
            what = f"the body of the answer from {self.place} did not end within {timeout}"
        else:
            what = f"no answer from {self.place} within {timeout}"
        return Failure(kind=FailureKind.TIMEOUT, message=what, help=SLOW.format("action"), retryable=True)

    def connect_timed_out(self) -> Failure:
        """Say that no connection came about within the time for connecting."""
        what = "no TLS handshake with" if self.phase == "tls" else "no connection to"
        return Failure(
            kind=FailureKind.TIMEOUT,
            message=f"{what} {self.place} within {written(self._connect_timeout)}",
            help="a firewall may drop it, or host and port are wrong; else raise `limits.connect`",
            retryable=True,
        )

    def network(self, error: BaseException) -> Failure | None:
        """Explain an error of name lookup, TCP or TLS; None where it is something else, for example of HTTP."""
        connecting = self.phase == "connect" or not self._origin
        host = self._peer.rpartition(":")[0] if connecting else str(self._origin and self._origin.host)
        return network_failure(error, place=self.place, host=host, handshake=self.phase == "tls")

    def no_connection(self) -> Failure:
        """Say that no connection came about, for a reason that nobody gave."""
        return unreachable(f"no connection to {self.place}", help="check host, port and the network")

    def no_socket(self, path: str, error: OSError) -> Failure | None:
        """Say why a Unix socket cannot be reached; None where the system gives another reason."""
        known = {
            errno.ENOENT: ("is not there", "is the service running, and does it listen there?"),
            errno.ECONNREFUSED: ("has nobody who listens", "is the service running?"),
            errno.EACCES: ("may not be used by this user", "check its group, and as whom the run goes"),
            errno.ENOTSOCK: ("is no socket", "check the path"),
            errno.EPROTOTYPE: ("is a socket of another kind", "check the path"),
        }
        if error.errno is None and len(path.encode()) > LONGEST_SOCKET:  # Python looks at this by itself
            return unreachable(
                f"the path of the socket {path} is longer than a socket's may be",
                help="a link with a shorter path to its directory helps: `ln -s DIRECTORY /tmp/d`",
            )
        if error.errno not in known:
            return None
        what, remedy = known[error.errno]
        return unreachable(f"the socket {path} {what}", help=remedy)

    def no_way(self, status: str | None) -> Failure:
        """Say that the proxy did not open a way to the server; `status` is what it answered."""
        answered = f" (status {status})" if status else ""
        return unreachable(
            f"{self.place} did not open a way to {self._origin and self._origin.place}{answered}",
            help="it may want a user name and password (`proxy.username`, `proxy.password`, or in the URL of the "
            "environment), or forbid this host",
        )

    def closed(self) -> Failure:
        """Say that the other side closed the connection too early."""
        when = "in the middle of its answer" if self.phase == "body" else "before it answered"
        check = "that it speaks HTTP on this port"
        if self._origin is not None and self._origin.scheme == "https" and self.phase != "body":
            # TLS 1.3 tells a client that it was refused only now, and a reset may overtake the alert.
            check = "whether it wants a client certificate (`tls.cert`), or another one"
        return unreachable(
            f"{self.place} closed the connection {when}",
            help=f"the server, or a proxy before it, gave up: look at its log, and check {check}",
        )

    def no_http(self) -> Failure:
        """Say that the answer breaks the rules of HTTP."""
        if self.phase == "body":
            return self.broken(f"{self.place} breaks the rules of HTTP in the middle of its answer")
        return self.broken(f"what answers at {self.place} is not HTTP")

    def long_head(self) -> Failure:
        """Say that the headers of the answer are over the limit."""
        return self.broken(f"the headers of the answer from {self.place} are over 100 KiB")

    def unknown(self) -> Failure:
        """Say that something failed that this program knows nothing about."""
        return self.broken(f"the exchange with {self.place} failed in the HTTP library")

    def broken(self, message: str) -> Failure:
        """Make the failure of an answer that is no HTTP."""
        secure = self._origin is not None and self._origin.scheme == "https"
        remedy = (
            "check host and port" if secure else "check host and port, and whether the server wants https://"
        )
        return Failure(kind=FailureKind.PROTOCOL, message=message, help=remedy)
