"""`type: digest`: the examples of the RFCs, and how a challenge is read."""

import asyncio
import hashlib

import pytest

from runner.auth import Outgoing, Refused
from runner.auth.digest import Authenticator, Challenge, challenges, chosen, credentials
from runner.errors import FailureError
from tests.auth.bound import authenticator, shown
from tests.auth.means import Lent

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
ASKED = (
    f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="{NONCE}", opaque="{OPAQUE}", '
    f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="{NONCE}", opaque="{OPAQUE}"'
)
"""The two challenges of RFC 7616, 3.9.1, in one header as a client receives them."""


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_example_of_rfc_7616(algorithm: str, response: str) -> None:
    challenge = Challenge(
        realm="http-auth@example.org", nonce=NONCE, algorithm=algorithm, opaque=OPAQUE, qop="auth"
    )
    value, proof = credentials(
        challenge, username="Mufasa", password="Circle of Life", method="GET", uri="/dir/index.html", count=1,
        cnonce=CNONCE,
    )  # fmt: skip
    assert proof == response
    assert challenges(value) == [
        (
            "digest",
            {
                "username": "Mufasa", "realm": "http-auth@example.org", "uri": "/dir/index.html", "algorithm": algorithm,
                "nonce": NONCE, "nc": "00000001", "cnonce": CNONCE, "qop": "auth", "response": response,
                "opaque": OPAQUE,
            },
        )
    ]  # fmt: skip


def test_example_of_rfc_7616_with_a_hashed_user_name() -> None:
    """Section 3.9.2, with the values of erratum 4897: those printed there are not of SHA-512/256."""
    challenge = Challenge(
        realm="api@example.org", nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", algorithm="SHA-512-256",
        opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDssOS", qop="auth", userhash=True,
    )  # fmt: skip
    value, proof = credentials(
        challenge, username="J\u00e4s\u00f8n Doe", password="Secret, or not?", method="GET", uri="/doe.json", count=1,
        cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
    )  # fmt: skip
    assert proof == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    assert 'username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"' in value
    assert "userhash=true" in value


@pytest.mark.parametrize(
    ("challenge", "password", "cnonce", "response"),
    [
        # RFC 2617, 3.5, and RFC 2069, 2.4 with its erratum: no qop, no count.
        (
            {"qop": "auth"},
            "Circle Of Life",
            "0a4f113b",
            "6629fae49393a05397450978507c4ef1",
        ),
        ({}, "CircleOfLife", "x", "1949323746fe6a43ef61f9606e7febea"),
    ],
)
def test_examples_of_older_rfcs(challenge: dict[str, str], password: str, cnonce: str, response: str) -> None:
    made = Challenge(realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", **challenge)  # type: ignore[arg-type]
    value, proof = credentials(
        made,
        username="Mufasa",
        password=password,
        method="GET",
        uri="/dir/index.html",
        count=1,
        cnonce=cnonce,
    )
    assert proof == response
    assert ("cnonce" in value) == ("qop" in challenge)


def test_the_strongest_challenge_is_taken() -> None:
    assert [name for name, _ in challenges(ASKED)] == ["digest", "digest"]
    first = chosen(ASKED, "api")
    assert first is not None
    assert (first.algorithm, first.nonce, first.opaque, first.qop) == ("SHA-256", NONCE, OPAQUE, "auth")
    other = chosen(
        'Basic realm="x", Negotiate, Digest nonce="a\\"b, c" , algorithm=md5-SESS,stale=TRUE', "api"
    )
    assert other is not None
    assert (other.nonce, other.algorithm, other.stale, other.qop) == ('a"b, c', "MD5-sess", True, None)
    assert chosen('Basic realm="x", nonce="1"', "api") is None
    assert chosen("", "api") is None


@pytest.mark.parametrize(
    "asked",
    ['Digest realm="x"', 'Digest nonce="1", algorithm=SHA-1', 'Digest nonce="1", qop="auth-conf"', "Digest"],
)
def test_what_cannot_be_answered_is_said(asked: str) -> None:
    with pytest.raises(FailureError, match="Digest challenge to the connection 'api' cannot be answered"):
        chosen(asked, "api")


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-256-sess"])
def test_with_auth_int_the_body_is_hashed_too(algorithm: str) -> None:
    """RFC 7616, 3.4.3; the formula is written out here once more, since the RFC has no example of it."""
    plain = algorithm.removesuffix("-sess").replace("-", "").lower()

    def h(text: bytes) -> str:
        return hashlib.new(plain, text, usedforsecurity=False).hexdigest()

    challenge = Challenge(realm="r", nonce="n", algorithm=algorithm, qop="auth-int")
    value, proof = credentials(
        challenge, username="robot", password="p", method="POST", uri="/a?b", count=2, cnonce="c",
        body=hashlib.new(plain, b"body \xff").digest(),
    )  # fmt: skip
    first = h(b"robot:r:p")
    if algorithm.endswith("-sess"):
        first = h(f"{first}:n:c".encode())
    second = h(b"POST:/a?b:" + h(b"body \xff").encode())
    assert proof == h(f"{first}:n:00000002:c:auth-int:{second}".encode())
    assert "qop=auth-int" in value
    only = chosen('Digest realm="r", nonce="n", qop="auth-int"', "api")
    assert only is not None
    assert only.qop == "auth-int"


def sent(made: Authenticator, target: str = "/a?b=1") -> Outgoing:
    request = Outgoing("POST", f"https://api.test{target}", [], [("k", "v")], b"body")
    asyncio.run(made.apply(request))
    return request


def test_challenge_count_and_stale_nonce() -> None:
    auth = {"username": "Zo\u00eb", "password": "env://P"}
    means = Lent()
    made = authenticator("digest", auth, {"P": "pass\nword"}, means)
    assert isinstance(made, Authenticator)
    first = sent(made)
    assert first.headers == []
    assert asyncio.run(
        made.refresh(Refused(first, {"www-authenticate": 'Digest realm="r", nonce="n1", qop="auth"'}))
    )
    second, third = sent(made), sent(made)
    given = [challenges(request.headers[0][1])[0][1] for request in (second, third)]
    assert [part["nc"] for part in given] == ["00000001", "00000002"]
    assert given[0]["uri"] == "/a?b=1&k=v"
    assert given[0]["username*"] == "UTF-8''Zo%C3%AB"
    assert given[0]["cnonce"] != given[1]["cnonce"]
    assert set(means.registered) == {part["response"] for part in given}

    def refused(request: Outgoing, nonce: str, more: str = "") -> bool:
        header = f'Digest realm="r", nonce="{nonce}", qop="auth"{more}'
        return asyncio.run(made.refresh(Refused(request, {"www-authenticate": header})))

    assert not refused(third, "n2"), "the password is wrong: asking again would lock the account"
    assert refused(third, "n2", ", stale=true")
    fresh = sent(made)
    assert challenges(fresh.headers[0][1])[0][1]["nonce"] == "n2"
    assert refused(second, "n3"), "sent before the newer nonce was known"
    assert not asyncio.run(made.refresh(Refused(fresh, {"www-authenticate": 'Basic realm="r"'})))


def test_plan() -> None:
    assert shown("digest", {"username": "robot", "password": "env://P"}).headers == {
        "Authorization": 'Digest username="robot", ‹hash with ‹secret env://P››'
    }
