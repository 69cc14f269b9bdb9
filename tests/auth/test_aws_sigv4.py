"""`type: aws_sigv4`: the published vectors, and agreement with botocore, which AWS's own tools sign with."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.auth import Outgoing, aws_sigv4
from runner.auth.aws_sigv4 import Keys, canonical_path, canonical_query
from runner.redirects import origin_of
from runner.target import target_of
from tests.auth.bound import authenticator
from tests.auth.means import Lent


def signed(request: Outgoing, keys: Keys, moment: datetime) -> list[tuple[str, str]]:
    digest = asyncio.run(request.body_digest("sha256")).hex()
    return aws_sigv4.signed(request, keys, moment, digest)


SUITE_TIME = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
SUITE_TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflf"
    "KD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd"
    "8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3i"
    "SIlTJabIQwj2ICCR/oLxBA=="
)
VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
FORM = [("Content-Type", "application/x-www-form-urlencoded")]


def keys(
    service: str, *, token: str | None = None, secret: str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
) -> Keys:
    identity = "AKIAIOSFODNN7EXAMPLE" if service == "s3" else "AKIDEXAMPLE"
    return Keys(
        access_key_id=identity,
        secret_access_key=secret,
        session_token=token,
        region="us-east-1",
        service=service,
    )


# The "AWS Signature Version 4 test suite" of AWS: name, method, target, headers, body, signature. Its cases for the
# form of the path ("normalize-path") have the signature of the path that they come to.
SUITE = [
    ("get-vanilla", "GET", "/", [], "", VANILLA),
    ("get-relative", "GET", "/example/..", [], "", VANILLA),
    ("get-relative-relative", "GET", "/example1/example2/../..", [], "", VANILLA),
    ("get-slash", "GET", "//", [], "", VANILLA),
    ("get-slash-dot-slash", "GET", "/./", [], "", VANILLA),
    ("get-slash-pointless-dot", "GET", "/./example", [], "", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
    ("get-slashes", "GET", "//example//", [], "", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
    ("get-space", "GET", "/example space/", [], "", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    ("get-utf8", "GET", "/\u1234", [], "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    (
        "get-unreserved", "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", [], "",
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ),
    ("get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", [], "", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ("get-vanilla-empty-query-key", "GET", "/?Param1=value1", [], "", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    ("get-vanilla-utf8-query", "GET", "/?\u1234=bar", [], "", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    ("get-header-key-duplicate", "GET", "/", [("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")], "", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    ("get-header-value-order", "GET", "/", [("My-Header1", "value4"), ("My-Header1", "value1"), ("My-Header1", "value3"), ("My-Header1", "value2")], "", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
    ("get-header-value-trim", "GET", "/", [("My-Header1", " value1"), ("My-Header2", ' "a   b   c"')], "", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    ("post-vanilla", "POST", "/", [], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ("post-vanilla-query", "POST", "/?Param1=value1", [], "", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    ("post-header-key-sort", "POST", "/", [("My-Header1", "value1")], "", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    ("post-header-value-case", "POST", "/", [("My-Header1", "VALUE1")], "", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
    ("post-x-www-form-urlencoded", "POST", "/", FORM, "Param1=value1", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "target", "headers", "body", "signature"), [case[1:] for case in SUITE], ids=[case[0] for case in SUITE])  # fmt: skip
def test_suite_of_aws(method: str, target: str, headers: Any, body: str, signature: str) -> None:
    request = Outgoing(method, f"https://example.amazonaws.com{target}", headers, [], body.encode())
    assert dict(signed(request, keys("service"), SUITE_TIME))["Authorization"].endswith(
        f"Signature={signature}"
    )


def test_suite_of_aws_with_a_session_token() -> None:
    request = Outgoing("POST", "https://example.amazonaws.com/", [])
    made = dict(signed(request, keys("service", token=SUITE_TOKEN), SUITE_TIME))
    assert made["X-Amz-Security-Token"] == SUITE_TOKEN
    assert made["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"
    )


def test_example_of_the_s3_reference() -> None:
    """AWS, Amazon S3 API Reference, "Signature Calculations for the Authorization Header", GET Object."""
    request = Outgoing("GET", "https://examplebucket.s3.amazonaws.com/test.txt", [("Range", "bytes=0-9")])
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    made = dict(signed(request, keys("s3", secret=secret), datetime(2013, 5, 24, tzinfo=UTC)))
    assert made["Authorization"].endswith(
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_forms_of_path_and_query() -> None:
    assert canonical_path("/a%20b/%C3%BC/x%2Fy", "s3") == "/a%20b/%C3%BC/x%2Fy".replace("%2F", "/")
    assert canonical_path("/a%20b//c/../d", "execute-api") == "/a%2520b/d"
    assert canonical_path("//a/../b", "s3") == "//a/../b"
    assert canonical_path("", "s3") == canonical_path("", "es") == "/"
    assert canonical_query("b=2&a=%20x&a=!&flag&a=~") == "a=%20x&a=%21&a=~&b=2&flag="


def test_an_encoded_slash_or_dot_cannot_leave_its_place() -> None:
    for path, sent in {
        "/public/..%2Fsecret": "/public/..%2Fsecret",
        "/public/%2E%2E/secret": "/public/%2E%2E/secret",
        "/public/%2e/a(b)+c": "/public/%2e/a%28b%29%2Bc",
        "": "",
    }.items():
        request = Outgoing("GET", f"https://b.s3.amazonaws.com{path}?a=%26b&c=1+2", [])
        signed(request, keys("s3"), SUITE_TIME)
        assert request.url == f"https://b.s3.amazonaws.com{sent}?a=%26b&c=1%2B2"


TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=6)
HEADER = st.text(st.sampled_from("aZ0 ,;=\"'é\t"), min_size=1, max_size=12)


@settings(deadline=None, max_examples=150)
@given(
    segments=st.lists(TEXT, max_size=3),
    query=st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=3, unique_by=lambda pair: pair[0]),
    headers=st.dictionaries(st.sampled_from(["X-One", "content-type", "X-Amz-Target", "User-Agent"]), HEADER),
    body=st.binary(max_size=20),
    service=st.sampled_from(["s3", "execute-api"]),
    token=st.sampled_from([None, "the-session-token"]),
)
def test_signs_as_botocore_does(
    segments: list[str], query: list[tuple[str, str]], headers: dict[str, str], body: bytes, service: str,
    token: str | None,
) -> None:  # fmt: skip
    from urllib.parse import quote

    path = "/" + "/".join(quote(part, safe="") for part in segments if part not in (".", ".."))
    if service == "s3":  # which takes an encoded slash for one
        path = path.replace("%2F", "/")
    url = f"http://127.0.0.1:5000{path}"
    url = target_of(url, origin_of(url, "")).url
    request = Outgoing("PUT", url, list(headers.items()), query, body)
    made = dict(signed(request, keys(service, token=token), SUITE_TIME))

    other = AWSRequest("PUT", request.whole_url, data=body)
    other.headers = HTTPHeaders()
    for name, value in headers.items():
        other.headers[name] = value
    other.context["timestamp"] = "20150830T123600Z"
    own = keys(service, token=token)
    credentials = Credentials(own.access_key_id, own.secret_access_key, token)
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, "us-east-1")
    other.headers["X-Amz-Date"] = "20150830T123600Z"
    if token:
        other.headers["X-Amz-Security-Token"] = token
    if service == "s3":
        other.headers["X-Amz-Content-SHA256"] = signer.payload(other)
    signature = signer.signature(signer.string_to_sign(other, signer.canonical_request(other)), other)
    assert made["Authorization"].rpartition("=")[2] == signature
    assert urlsplit(request.whole_url).netloc == "127.0.0.1:5000"


def test_each_request_is_signed_with_its_time_and_the_signature_is_searched_for() -> None:
    auth = {
        "access_key_id": "env://I", "secret_access_key": "env://S", "session_token": "env://T",
        "region": "eu-{{ vars.where }}", "service": "s3",
    }  # fmt: skip
    means = Lent(variables={"where": "west-1"})
    made = authenticator(
        "aws_sigv4", auth, {"I": "AKIDEXAMPLE", "S": "the-secret-key", "T": "the-token"}, means
    )
    values = []
    for time in (1_440_938_160.0, 1_440_938_161.9):
        means.time = time
        request = Outgoing(
            "GET", "https://b.s3.eu-west-1.amazonaws.com/x", [("x-amz-date", "own"), ("A", "b")]
        )
        asyncio.run(made.apply(request))
        values.append(dict(request.headers[2:]))
    assert [value["X-Amz-Date"] for value in values] == ["20150830T123600Z", "20150830T123601Z"]
    assert "/eu-west-1/s3/aws4_request" in values[0]["Authorization"]
    assert values[0]["X-Amz-Security-Token"] == "the-token"
    assert set(means.registered) == {value["Authorization"].rpartition("=")[2] for value in values}
