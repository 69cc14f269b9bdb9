"""What a request line and its `Host` header say: the URL of a hop in the one form that every transport sends."""

import re
from functools import lru_cache
from ipaddress import IPv6Address
from urllib.parse import quote

from runner.errors import Failure, FailureError, FailureKind
from runner.frozen import dataclass
from runner.redirects import DEFAULT_PORTS, Origin

LONGEST_URL = 65_536
# What may stand as it is (RFC 3986, and what the URL standard of browsers leaves alone); `%` begins an escape.
_PATH_SAFE = "!$%&'()*+,-./:;=@[\\]^_|~"
_QUERY_SAFE = "!$%&'()*+,-./:;=?@[\\]^_`{|}~"
_PLAIN = re.compile(
    r"[A-Za-z0-9!$%&'()*+,\-./:;=@\[\\\]^_|~]*(?:\?[A-Za-z0-9!$%&'()*+,\-./:;=?@\[\\\]^_`{|}~]*)?"
)
_DOTS = re.compile(r"/\.\.?(?:/|$)")


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """Where a request goes: `host` as names are looked up (ASCII, no brackets), `address` for `Host`, `path` with its query."""

    scheme: str
    host: str
    port: int
    address: str
    path: str

    @property
    def url(self) -> str:
        """The whole URL."""
        return f"{self.scheme}://{self.address}{self.path}"


def target_of(url: str, origin: Origin) -> Target:
    """Read the target out of an absolute URL without fragment, whose origin is known; raises FailureError."""
    host, address = _host(origin)
    begin = url.find("://") + 3
    rest = _after_authority(url, begin)
    if len(url) > LONGEST_URL:
        raise _unsendable(origin)
    if not _PLAIN.fullmatch(rest):
        path, question, query = rest.partition("?")
        rest = quote(path, safe=_PATH_SAFE) + question + quote(query, safe=_QUERY_SAFE)
    if "/." in rest and _DOTS.search(rest.partition("?")[0]):
        path, question, query = rest.partition("?")
        rest = _without_dots(path) + question + query
    return Target(origin.scheme, host, origin.port, address, rest if rest.startswith("/") else "/" + rest)


def _after_authority(url: str, begin: int) -> str:
    ends = [place for place in (url.find("/", begin), url.find("?", begin)) if place >= 0]
    return url[min(ends) :] if ends else ""


def _without_dots(path: str) -> str:
    """Take `.` and `..` out of a path (RFC 3986, 5.2.4)."""
    kept: list[str] = []
    parts = path.split("/")
    for part in parts:
        if part == "..":
            if len(kept) > 1:
                kept.pop()
        elif part != ".":
            kept.append(part)
    if parts[-1] in {".", ".."}:
        kept.append("")
    return "/".join(kept)


@lru_cache(maxsize=512)
def _host(origin: Origin) -> tuple[str, str]:
    """Give the host as it is looked up, and as `Host` writes it, with a port that is not the scheme's own."""
    host = origin.host
    try:
        if host.startswith("["):
            host = str(IPv6Address(host[1:-1]))
            written = f"[{host}]"
        else:
            if not host.isascii() or "xn--" in host:
                import idna

                host = idna.encode(host).decode() if not host.isascii() else host
                idna.decode(host)
            written = host
    except ValueError:  # `idna.IDNAError` is one
        raise _unsendable(origin) from None
    return host, written if origin.port == DEFAULT_PORTS[origin.scheme] else f"{written}:{origin.port}"


def _unsendable(origin: Origin) -> FailureError:
    return FailureError(
        Failure(
            kind=FailureKind.RENDER,
            message=f"the URL for {origin.place} cannot be sent",
            help="check that its host is valid, and that it is under 64 KiB",
        )
    )
