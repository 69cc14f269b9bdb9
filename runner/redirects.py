"""Which requests make an exchange: origins, redirects and cookies between them, and the headers that go along.

Nothing here talks to a network.
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote, unquote_plus, urldefrag, urljoin, urlsplit

from runner.body import Body
from runner.errors import Failure, FailureError, FailureKind
from runner.frozen import dataclass

Pairs = tuple[tuple[str, str], ...]
Redirects = Literal["follow", "same_host", "never"]

FOLLOWED = frozenset({301, 302, 303, 307, 308})
MOST_HOPS = 10
SHORTEST_SEARCHED = 6
"""Shorter secrets are not looked for inside the target of a redirect: they would be found by accident."""

DEFAULT_PORTS = {"http": 80, "https": 443}
# Strict, so that no two parsers can read different hosts out of one URL.
_AUTHORITY = re.compile(r"""(\[[0-9A-Fa-f:.]+\]|[^\s\[\]:@/?#\\%<>"^`{|}]+)(?::([0-9]{0,5}))?""")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_OWN_HOST_ONLY = frozenset({"authorization", "cookie", "host", "proxy-authorization"})
_OF_THE_BODY = ("content-", "digest")
_CHOICES = (
    "`redirects:` can be `same_host` (the default), `follow` (other hosts too) or `never` (the redirect is the answer); "
    "credentials never go along to another host"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what credentials are bound to (RFC 6454)."""

    scheme: str
    host: str
    port: int

    @property
    def place(self) -> str:
        """Host and port, as messages name a server."""
        return f"{self.host}:{self.port}"

    def __str__(self) -> str:
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


@dataclass(frozen=True, slots=True, repr=False)
class Hop:
    """One request of an exchange: the first, or what a redirect made of it."""

    method: str
    url: str
    origin: Origin
    headers: Pairs
    body: Body | None


@dataclass(slots=True, repr=False)
class SentSecrets:
    """The credentials that an exchange sent, to find them again in the target of a redirect."""

    names: set[str]
    values: set[str]
    known: Callable[[str], bool] | None = None
    """Tells whether a text holds any secret of the run: also one that a workflow put into the URL or the body."""

    def add_query(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Remember parameters of the query."""
        for name, value in pairs:
            self.names.add(name)
            self.values.add(value)

    def add_headers(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Remember headers: the whole value, the part after the scheme, and each cookie's value."""
        for name, value in pairs:
            last = value.rpartition(" ")[2]
            parts = [value, last, last.partition("=")[2]]
            if name.lower() == "cookie":
                parts += [part.partition("=")[2].strip() for part in value.split(";")]
            self.values.update(text for part in parts for text in (part, unquote(part)) if text)

    def removed_from(self, url: str) -> str | None:
        """Give the URL without parameters that hold a credential; None where one stands elsewhere in it."""
        address, _, query = url.partition("?")
        kept = [pair for pair in query.split("&") if pair and not self._holds(pair)]
        cleaned = address + ("?" + "&".join(kept) if kept else "")
        decoded = unquote(cleaned)
        texts = (cleaned, decoded, unquote(decoded))
        searched = [value for value in self.values if len(value) >= SHORTEST_SEARCHED]
        leaks = any(value in text for value in searched for text in texts)
        host = (urlsplit(address).hostname or "").lower()  # where no letter is large
        leaks = leaks or any(value.lower() in host for value in searched)
        return None if leaks or (self.known and any(map(self.known, texts))) else cleaned

    def _holds(self, pair: str) -> bool:
        name, _, value = pair.partition("=")
        given = unquote_plus(value)
        return unquote_plus(name) in self.names or given in self.values


def origin_of(url: str, shown: str) -> Origin:
    """Read the origin of an absolute http(s) URL; raises FailureError, which says no more of the URL than `shown`."""
    if _CONTROL.search(url):
        raise _unusable(shown, "holds a line break or another control character")
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in DEFAULT_PORTS:
        raise _unusable(shown, "is not an absolute http or https URL")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise FailureError(
            Failure(
                kind=FailureKind.RENDER,
                message="the URL holds a user name or a password",
                help="credentials belong to `auth` of a connection, for example `type: basic`",
            )
        )
    match = _AUTHORITY.fullmatch(authority)
    if not match:
        raise _unusable(shown, "has no valid host" if authority else "has no host")
    port = int(match[2]) if match[2] else DEFAULT_PORTS[scheme]
    if not 0 < port < 65536:
        raise _unusable(shown, "has a port outside 1 to 65535")
    return Origin(scheme, match[1].lower(), port)


@lru_cache(maxsize=512)
def home_of(origin: str) -> Origin:
    """Read the origin of a connection, which holds no secret; raises FailureError."""
    return origin_of(origin, origin)


def proxy_address(url: str) -> tuple[str, tuple[str, str] | None]:
    """Split the URL of a proxy into its address and its user name and password; raises FailureError, quoting nothing."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host = parts.netloc.rpartition("@")[2]
        address = f"{parts.scheme}://{host}"
        origin_of(f"http://{host}" if parts.scheme in {"socks5", "socks5h"} else address, "")
    except (FailureError, ValueError):
        raise FailureError(
            Failure(
                kind=FailureKind.CONNECTION,
                message="the URL of the proxy is not valid",
                help="write http://HOST:PORT, https://HOST:PORT or socks5h://HOST:PORT; it comes from `proxy` of the connection, or from "
                "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY (NO_PROXY names the hosts that need none)",
            )
        ) from None
    return address, (unquote(parts.username), unquote(parts.password or "")) if parts.username else None


def first_hop(method: str, url: str, headers: Pairs, body: Body | None, shown: str) -> Hop:
    """Make the first request of an exchange; raises FailureError for a method or a URL that cannot be sent."""
    if not _TOKEN.fullmatch(method):
        raise FailureError(
            Failure(
                kind=FailureKind.RENDER, message="the method is not valid", help="write GET, POST, PUT, ..."
            )
        )
    return Hop(method, urldefrag(url).url, origin_of(url, shown), headers, body)


def merged(plain: Pairs, credentials: Iterable[tuple[str, str]], cookies: Pairs) -> list[tuple[str, str]]:
    """Join the headers of a request: a credential replaces a plain header of its name, cookies become one header."""
    added = list(credentials)
    taken = {name.lower() for name, _ in added}
    headers = [
        pair for pair in [*(p for p in plain if p[0].lower() not in taken), *added] if not _is_cookie(pair)
    ]
    jar: dict[str, str] = {}
    for _, line in filter(_is_cookie, [*plain, *added]):
        for part in line.split(";"):
            jar[part.partition("=")[0].strip()] = part.strip()
    jar |= {name: f"{name}={value}" for name, value in cookies}
    if jar:
        headers.append(("Cookie", "; ".join(filter(None, jar.values()))))
    return headers


def checked_header(name: str, value: str) -> tuple[bytes, bytes]:
    """Give a header as bytes; raises FailureError, which names the header and never its value."""
    problem, remedy = "", "write letters, digits and '-' only"
    if not _TOKEN.fullmatch(name):
        problem = "has a name that HTTP does not allow"
    elif name.lower() in _FRAMING:
        problem, remedy = "is set by runner.d itself", "leave it out"
    elif "\n" in value or "\r" in value:
        problem = "holds a line break"
        remedy = "a header is one line: take the line break out (filter `trim`), or store the secret without one at its end"
    elif _CONTROL.search(value.replace("\t", " ")):
        problem, remedy = "holds a control character", "take it out, or encode the value (filter `b64encode`)"
    else:
        try:
            # Spaces around are no part of a value (RFC 9110, 5.5), and h11 refuses them.
            return name.encode("ascii"), value.strip(" \t").encode("latin-1")
        except UnicodeEncodeError:
            problem = "holds a character that headers cannot carry"
            remedy = "headers take Latin-1 only: encode the value (filter `url_quote` or `b64encode`)"
    shown = "".join(char if char.isprintable() else "�" for char in name)
    raise FailureError(Failure(kind=FailureKind.RENDER, message=f"header '{shown}' {problem}", help=remedy))


class Trail:
    """The way of one exchange through its redirects: the present hop, and the cookies that it was given.

    Cookies go back to exactly the origin that set them, whatever Domain they name, and die with the exchange.
    """

    def __init__(self, first: Hop, policy: Redirects, accepted: frozenset[int], shown: str) -> None:
        self.hop = first
        self.strayed = False
        """Whether it ever left its first origin: another host then chose the URL, and credentials stay away for good."""
        self._policy = policy
        self._accepted = accepted
        self._shown = shown
        self._jars: dict[Origin, dict[str, tuple[str, str]]] = {}
        self._hops = 0
        self._seen = {self._state()}

    @property
    def cookies(self) -> Pairs:
        """The cookies for the present hop: name and value."""
        path = urlsplit(self.hop.url).path or "/"
        jar = self._jars.get(self.hop.origin, {})
        return tuple((name, value) for name, (value, below) in jar.items() if _is_below(path, below))

    @property
    def shown_url(self) -> str:
        """The URL of the present hop, safe to show: after a redirect without its query, which a server wrote."""
        if not self._hops:
            return self._shown
        return f"{self.hop.origin}{urlsplit(self.hop.url).path}"

    def step(self, status: int, headers: Pairs, sent: SentSecrets) -> bool:
        """Take an answer and go where it leads; false where it leads nowhere and is the answer of the exchange."""
        location = next((value for name, value in headers if name.lower() == "location"), None)
        if status not in FOLLOWED or status in self._accepted or self._policy == "never" or not location:
            return False
        for name, value in headers:
            if name.lower() == "set-cookie":
                self._keep(value)
        hop = self.hop
        url, target = self._target(location.strip(), status)
        if target != hop.origin:
            cleaned = sent.removed_from(url)
            shown = str(target) if cleaned is not None else "a URL with credentials of this request"
            self._check_leaving(hop.origin, target, status, shown)
            self.strayed = True
            if cleaned is None:
                raise self._refused(
                    f"redirects to {shown} ({status})",
                    help="the server leaks its credentials: tell those who run it, and replace them",
                )
            url = cleaned
            kept = tuple(pair for pair in hop.headers if pair[0].lower() not in _OWN_HOST_ONLY)
            hop = replace(hop, headers=kept)
        self.hop = _redirected(hop, status, url, target)
        self._hops += 1
        self._check_length(status)
        return True

    def _target(self, location: str, status: int) -> tuple[str, Origin]:
        """Resolve a Location. A refused one is not quoted: a server may have put anything into it."""
        try:
            url = urldefrag(urljoin(self.hop.url, location)).url
            return url, origin_of(url, "")
        except (FailureError, ValueError):
            what = "something that is no http or https URL without user name and password"
        raise self._refused(
            f"redirects to {what} ({status})", help="with `redirects: never` it is the answer"
        )

    def _check_leaving(self, here: Origin, target: Origin, status: int, shown: str) -> None:
        if here.scheme == "https" and target.scheme == "http":
            raise self._refused(
                f"redirects from https to {shown} ({status}), which is not encrypted",
                help="use the address that the server means; with `redirects: never` the redirect is the answer",
            )
        upgraded = (here.scheme, here.port, target.scheme, target.port) == ("http", 80, "https", 443)
        if self._policy == "same_host" and not (upgraded and here.host == target.host):
            other = "another host" if here.host != target.host else "another port or scheme"
            raise self._refused(f"redirects to {shown} ({status}), {other}", help=_CHOICES)

    def _check_length(self, status: int) -> None:
        # With another cookie the same URL may answer otherwise: sites that test for cookies redirect to themselves.
        state = self._state()
        if state in self._seen:
            raise self._refused(
                f"redirects in a loop: {self.shown_url} comes again ({status})",
                help="the server may miss a credential or a cookie; with `redirects: never` the redirect is the answer",
            )
        self._seen.add(state)
        if self._hops > MOST_HOPS:
            raise self._refused(
                f"redirects more than {MOST_HOPS} times",
                help="ask for the final URL at once; with `redirects: never` the redirect is the answer",
            )

    def _refused(self, message: str, *, help: str) -> FailureError:
        return FailureError(
            Failure(kind=FailureKind.REDIRECT, message=f"{self.hop.origin.place} {message}", help=help)
        )

    def _state(self) -> tuple[str, str, Pairs]:
        return self.hop.method, self.hop.url, self.cookies

    def _keep(self, line: str) -> None:
        """Take one Set-Cookie (RFC 6265, 5.2)."""
        first, *attributes = line.split(";")
        name, equals, value = (part.strip() for part in first.partition("="))
        if not equals or not name or not line.isascii():
            return
        options = {
            key.strip().lower(): text.strip() for key, _, text in (a.partition("=") for a in attributes)
        }
        path = options.get("path", "")
        if not path.startswith("/"):
            path = urlsplit(self.hop.url).path.rpartition("/")[0] or "/"
        jar = self._jars.setdefault(self.hop.origin, {})
        if _is_over(options):
            jar.pop(name, None)
        else:
            jar[name] = (value, path)


def _redirected(hop: Hop, status: int, url: str, origin: Origin) -> Hop:
    """Make the next request, with the method that browsers would use (RFC 9110, 15.4)."""
    method, headers, body = hop.method, hop.headers, hop.body
    if (status in {301, 302} and method == "POST") or (status == 303 and method not in {"GET", "HEAD"}):
        method, body = "GET", None
        headers = tuple(pair for pair in headers if not pair[0].lower().startswith(_OF_THE_BODY))
    return Hop(method, url, origin, headers, body)


def _is_cookie(pair: tuple[str, str]) -> bool:
    return pair[0].lower() == "cookie"


def _is_below(path: str, below: str) -> bool:
    return path == below or path.startswith(below if below.endswith("/") else below + "/")


def _is_over(options: dict[str, str]) -> bool:
    if "max-age" in options:
        return bool(re.fullmatch(r"0+|-[0-9]+", options["max-age"]))
    try:
        return parsedate_to_datetime(options["expires"]).timestamp() <= time.time()
    except (KeyError, ValueError, OverflowError):
        return False


def _unusable(shown: str, problem: str) -> FailureError:
    address = re.sub(r"//[^/@]*@", "//***@", "".join(char if char.isprintable() else "�" for char in shown))
    return FailureError(
        Failure(
            kind=FailureKind.RENDER,
            message=f"the URL '{address}' {problem}",
            help="write https://HOST/PATH; with a connection, `path` starts with '/' and the rest is its `base_url`",
        )
    )
