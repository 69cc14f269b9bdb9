"""`type: hmac`: schemes of known APIs as their pages declare them, byte for byte."""

import asyncio
import base64
import hashlib
import hmac
from typing import Any

import pytest

from runner.auth import FieldError, Outgoing
from tests.auth.bound import authenticator, shown
from tests.auth.means import Lent

NOW = 1_700_000_000.123456
BODY = b'{"a":1}'


def headers(auth: dict[str, Any], key: str, *, method: str = "POST", body: bytes | None = BODY, means: Lent | None = None) -> dict[str, str]:  # fmt: skip
    means = means or Lent(time=NOW, variables={"account": "acme"})
    made = authenticator("hmac", {"key": "env://K", **auth}, {"K": key}, means)
    url = "https://api.test:8443/v2/orders%20x?b=2&a=%C3%A9"
    request = Outgoing(method, url, [("Content-Type", "application/json")], [("key", "se/cret")], body)
    asyncio.run(made.apply(request))
    added = dict(request.headers[1:])
    assert set(means.registered) == {added[auth["header"]].rpartition(" ")[2].rpartition(":")[2]}
    return added


def mac(key: bytes, text: str, kind: str = "sha256") -> bytes:
    return hmac.new(key, text.encode(), kind).digest()


def test_time_method_target_and_body_as_exchanges_want_them() -> None:
    added = headers(
        {
            "key_encoding": "base64", "encoding": "base64", "header": "X-Sign",
            "string_to_sign": "{{ request.timestamp }}{{ request.method }}{{ request.target }}{{ request.body }}",
            "timestamp": {"header": "X-Time"},
        },
        base64.b64encode(b"\xff\x00key").decode(),
    )  # fmt: skip
    text = '1700000000POST/v2/orders%20x?b=2&a=%C3%A9&key=se%2Fcret{"a":1}'
    assert added == {
        "X-Time": "1700000000",
        "X-Sign": base64.b64encode(mac(b"\xff\x00key", text)).decode(),
    }


def test_lines_with_hash_host_and_header_in_a_prefix() -> None:
    """The form of Azure's services: lines, the hash of the body in a header, the signature in Authorization."""
    added = headers(
        {
            "header": "Authorization", "prefix": "HMAC-SHA256 {{ vars.account }}:", "algorithm": "sha512",
            "body_hash": {"encoding": "base64", "header": "Digest", "prefix": "SHA-256="},
            "timestamp": {"header": "X-Date", "unit": "http_date"},
            "string_to_sign": "{{ request.method | lower }}\n{{ request.path }}\n{{ request.query }}\n{{ request.timestamp }};"
            "{{ request.host }};{{ request.body_hash }}\n{{ request.headers['content-type'] }}",
        },
        "key ",
    )  # fmt: skip
    hashed = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    date = "Tue, 14 Nov 2023 22:13:20 GMT"
    text = (
        f"post\n/v2/orders%20x\nb=2&a=%C3%A9&key=se%2Fcret\n{date};api.test:8443;{hashed}\napplication/json"
    )
    assert added == {
        "X-Date": date,
        "Digest": f"SHA-256={hashed}",
        "Authorization": f"HMAC-SHA256 acme:{mac(b'key ', text, 'sha512').hex()}",
    }


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ("seconds", "1700000000"),
        ("milliseconds", "1700000000123"),
        ("microseconds", "1700000000123456"),
        ("nanoseconds", "1700000000123456000"),
        ("rfc3339", "2023-11-14T22:13:20Z"),
    ],
)
def test_units_of_time(unit: str, written: str) -> None:
    auth = {"header": "X-S", "string_to_sign": "{{ request.timestamp }}", "timestamp": {"unit": unit}}
    assert headers(auth, "k") == {"X-S": mac(b"k", written).hex()}


def test_hex_key_no_body_md5_and_bytes_that_are_no_text() -> None:
    auth = {
        "header": "X-S",
        "string_to_sign": "{{ request.body_hash }}|{{ request.body }}",
        "key_encoding": "hex",
    }
    hashed = {"algorithm": "md5", "header": "Content-MD5"}
    empty = headers({**auth, "body_hash": hashed}, "00ff 10\n", body=None)
    digest = hashlib.md5(b"").hexdigest()
    assert empty == {"Content-MD5": digest, "X-S": mac(b"\x00\xff\x10", f"{digest}|").hex()}
    raw = b"\xff\xfe\x00"
    binary = headers(auth, "00ff10", body=raw)
    told = hashlib.sha256(raw).hexdigest().encode() + b"|" + raw
    assert binary["X-S"] == hmac.new(b"\x00\xff\x10", told, "sha256").hexdigest()


@pytest.mark.parametrize(
    ("encoding", "key"), [("hex", "xyz-secret"), ("base64", "a*b-secret"), ("hex", "abc")]
)
def test_a_key_that_is_not_what_it_is_said_to_be(encoding: str, key: str) -> None:
    auth = {"header": "X-S", "string_to_sign": "x", "key_encoding": encoding}
    with pytest.raises(FieldError, match=f"^is not {encoding}, as `key_encoding` says$") as caught:
        headers(auth, key)
    assert caught.value.name == "key"


def test_plan() -> None:
    made = shown(
        "hmac",
        {
            "key": "env://K", "header": "Authorization", "prefix": "HMAC", "string_to_sign": "x",
            "timestamp": {"header": "X-T"}, "body_hash": {"header": "X-H", "algorithm": "md5"},
        },
    )  # fmt: skip
    assert made.headers == {
        "X-T": "‹time of sending›",
        "X-H": "‹md5 of the body›",
        "Authorization": "HMAC ‹sha256 HMAC with ‹secret env://K››",
    }
