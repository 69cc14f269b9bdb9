"""AWS Signature Version 4: a signature over what is really sent, made anew for every attempt and page.

The rules are those of the AWS reference, "Create a signed AWS API request". Signed are the method, the path, the query,
the body, the host and every header of the request that no proxy rewrites.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlsplit

from runner.auth import Bound, Fixed, Means, Outgoing, Shown, host_of, revealed
from runner.bind import URL_ROOTS, Binder
from runner.frozen import dataclass
from runner.language import closed, secret, text
from runner.secret_ref import SecretRef
from runner.sensitive import Secret
from runner.template import Mode, Template

SUMMARY = "AWS Signature Version 4"
SCHEMA = closed(
    {
        "access_key_id": secret("The access key ID."),
        "secret_access_key": secret("The secret access key."),
        "session_token": secret("The session token of temporary credentials."),
        "region": text(
            "Region that the service runs in; `vars` and `environment` may stand in it.",
            minLength=1,
            examples=["eu-central-1"],
        ),
        "service": text(
            "Name of the service in signatures: s3, execute-api (API Gateway), es, aoss, sts, bedrock.",
            pattern="^[a-z0-9-]+$",
            examples=["execute-api"],
            **{"x-message": "the name of a service as in its endpoints: small letters, digits and -"},
        ),
    },
    required=("access_key_id", "secret_access_key", "region", "service"),
    description="Access keys that sign each request (AWS Signature Version 4).",
    examples=[
        {
            "access_key_id": "vault://aws/creds/reader#access_key",
            "secret_access_key": "vault://aws/creds/reader#secret_key",
            "session_token": "vault://aws/creds/reader#security_token",
            "region": "eu-central-1",
            "service": "s3",
        }
    ],
)
SECRET_FIELDS = frozenset({"access_key_id", "secret_access_key", "session_token"})
FORBIDDEN = "AWS answers 403 to keys that it does not know, that have expired or that sign wrongly, and to what valid ones may not do: its error code says which"
EXAMPLE = """\
type: aws_sigv4
description: Objects of the archive
base_url: https://archive.s3.eu-central-1.amazonaws.com
shared: true
auth:
  access_key_id: vault://aws/creds/archive#access_key
  secret_access_key: vault://aws/creds/archive#secret_key
  session_token: vault://aws/creds/archive#security_token
  region: eu-central-1
  service: s3
test: {path: "/?list-type=2&max-keys=1"}
"""

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNSIGNED = frozenset(
    {"authorization", "connection", "content-length", "cookie", "expect", "te", "trailer", "transfer-encoding",
     "upgrade", "user-agent", "x-amzn-trace-id", "traceparent", "tracestate", "via", "x-forwarded-for"}
)  # fmt: skip
"""Headers that the client or a proxy between may still change."""
_BODY_HASH = "x-amz-content-sha256"
_HASH_SENT = frozenset({"s3", "s3express", "s3-outposts", "s3-object-lambda", "aoss", "glacier"})
"""Services that want the hash of the body as a header."""
_ENCODED_ONCE = frozenset({"s3", "s3express", "s3-outposts", "s3-object-lambda"})
"""Services that take the path as it is; all others normalise it and encode it a second time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The fields of `auth`."""

    access_key_id: SecretRef
    secret_access_key: SecretRef
    session_token: SecretRef | None = None
    region: Template
    service: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Keys:
    """Credentials in the clear, and what they are for."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    region: str
    service: str


def bind(value: Mapping[str, object], binder: Binder) -> Bound:
    """Bind the fields; the region is a template."""
    fields, secrets = binder.fields(value, ("auth",), SECRET_FIELDS)
    fields["region"] = binder.template(str(value["region"]), ("auth", "region"), URL_ROOTS, mode=Mode.TEXT)
    return Bound(config=None if binder.diagnostics else Config(**fields), secrets=secrets)


def shown(config: Config, labels: Mapping[str, str]) -> Shown:
    """Show the headers, with words for what depends on the time."""
    scope = f"{labels['access_key_id']}/‹date›/{config.region.text}/{config.service}/aws4_request"
    headers = {
        "Authorization": f"{_ALGORITHM} Credential={scope}, ‹signed with {labels['secret_access_key']}›"
    }
    if "session_token" in labels:
        headers["X-Amz-Security-Token"] = labels["session_token"]
    return Shown(headers)


class Authenticator(Fixed):
    """Signs each request with the time at which it is sent."""

    def __init__(self, config: Config, fields: Mapping[str, Secret | str], means: Means) -> None:
        self._means = means
        self._keys = Keys(
            access_key_id=revealed(fields["access_key_id"]),
            secret_access_key=revealed(fields["secret_access_key"]),
            session_token=revealed(fields["session_token"]) if "session_token" in fields else None,
            region=means.text(config.region),
            service=config.service,
        )

    async def apply(self, request: Outgoing) -> None:
        """Add date, token and signature."""
        moment = datetime.fromtimestamp(self._means.now(), UTC)
        body_hash = (await request.body_digest("sha256")).hex()
        for name, value in signed(request, self._keys, moment, body_hash):
            request.headers.append((name, value))
            if name == "Authorization":
                self._means.register_passing(value.rpartition("=")[2])


def signed(request: Outgoing, keys: Keys, moment: datetime, body_hash: str) -> list[tuple[str, str]]:
    """Give the headers that sign a request; `moment` is in UTC, `body_hash` the SHA-256 of the body in hex.

    The request's URL is written in the form that is signed, so that it does not matter which of the two a server reads.
    """
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    added = {"X-Amz-Date": stamp}
    if keys.session_token is not None:
        added["X-Amz-Security-Token"] = keys.session_token
    given = {name.lower(): value for name, value in request.headers}
    body_hash = given.get(_BODY_HASH, body_hash)
    if keys.service in _HASH_SENT and _BODY_HASH not in given:
        added["X-Amz-Content-SHA256"] = body_hash
    url = request.url = _in_signed_form(request.whole_url, keys.service)
    headers = canonical_headers([*request.headers, *added.items()], host_of(url), replaced=added)
    names = ";".join(headers)
    canonical = "\n".join(
        [
            request.method,
            canonical_path(urlsplit(url).path, keys.service),
            canonical_query(urlsplit(url).query),
            *(f"{name}:{value}" for name, value in headers.items()),
            "",
            names,
            body_hash,
        ]
    )
    scope = f"{stamp[:8]}/{keys.region}/{keys.service}/aws4_request"
    to_sign = "\n".join([_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    added["Authorization"] = (
        f"{_ALGORITHM} Credential={keys.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return list(added.items())


def canonical_path(path: str, service: str) -> str:
    """Write a path as the signature has it. S3: each character encoded once. Others: normalised, encoded once more."""
    if service in _ENCODED_ONCE:
        return quote(unquote(path or "/", errors="surrogateescape"), safe="/~", errors="surrogateescape")
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    end = "/" if kept and path.endswith(("/", "/.", "/..")) else ""
    return quote("/" + "/".join(kept) + end, safe="/~")


def canonical_query(query: str) -> str:
    """Sort the parameters of a query as sent, each encoded in the one way that the signature knows."""
    pairs = (part.partition("=") for part in query.split("&") if part)
    return "&".join(f"{name}={value}" for name, value in sorted((_once(a), _once(b)) for a, _, b in pairs))


def _in_signed_form(url: str, service: str) -> str:
    """Encode path and query as the signature does. An encoded slash or dot stays one: the path stays where it was."""
    address, mark, query = url.partition("?")
    if service in _ENCODED_ONCE:
        scheme, _, rest = address.partition("://")
        host, *segments = rest.split("/")
        address = f"{scheme}://{'/'.join([host, *map(_segment, segments)])}"
    pairs = (part.partition("=") for part in query.split("&") if part)
    return address + mark + "&".join(_once(name) + equals + _once(value) for name, equals, value in pairs)


def _segment(segment: str) -> str:
    written = _once(segment)
    return segment if written in (".", "..") else written


def _once(part: str) -> str:
    return quote(unquote(part, errors="surrogateescape"), safe="~", errors="surrogateescape")


def canonical_headers(
    pairs: Iterable[tuple[str, str]], host: str, *, replaced: Iterable[str] = ()
) -> dict[str, str]:
    """Give the headers to sign, sorted; of a name in `replaced` only the last value is sent."""
    last = {name.lower() for name in replaced}
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        key = name.lower()
        if key in _UNSIGNED:
            continue
        values = found.setdefault(key, [])
        if key in last:
            values.clear()
        values.append(" ".join(value.split()))
    found.setdefault("host", [host])
    return {name: ",".join(found[name]) for name in sorted(found)}
