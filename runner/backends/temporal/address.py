"""Where the engine is: `temporal://HOST:PORT/NAMESPACE`, with `?task_queue=NAME` where it is not the usual one."""

from urllib.parse import parse_qs, urlsplit

from runner.errors import UsageError
from runner.frozen import dataclass

TASK_QUEUE = "runner.d"
_FORM = "write temporal://HOST:PORT/NAMESPACE, for example temporal://127.0.0.1:7233/default"


@dataclass(frozen=True, slots=True)
class Address:
    """A server, a namespace in it, and the task queue that workers and runs share."""

    host: str
    namespace: str
    task_queue: str = TASK_QUEUE

    def __str__(self) -> str:
        return f"temporal://{self.host}/{self.namespace}"


def parse(text: str) -> Address:
    """Read the address of an engine; raises UsageError."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port or 7233
    except ValueError:
        raise UsageError("the address of the engine has no valid port", help=_FORM) from None
    if parts.scheme != "temporal" or not host:
        raise UsageError("that is no address of an engine", help=_FORM)
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "the address of the engine holds credentials",
            help="give an API key with TEMPORAL_API_KEY, a certificate with TEMPORAL_TLS_CLIENT_CERT_PATH",
        )
    options = parse_qs(parts.query)
    if unknown := sorted(set(options) - {"task_queue"}):
        raise UsageError(f"the address of the engine has an unknown option '{unknown[0]}'", help=_FORM)
    namespace = parts.path.strip("/") or "default"
    if "/" in namespace:
        raise UsageError(f"'{namespace}' is no namespace", help=_FORM)
    written = f"[{host}]" if ":" in host else host
    return Address(f"{written}:{port}", namespace, options.get("task_queue", [TASK_QUEUE])[0])
