"""`type: jwt`: what other libraries read in the token, when it is signed anew, and keys that cannot sign."""

import asyncio
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from runner import keys
from runner.auth import FieldError, Outgoing, Refused
from runner.auth.jwt import Authenticator
from runner.errors import FailureError
from tests.auth.bound import authenticator, shown
from tests.auth.means import Lent

KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "HS256": "0123456789abcdef0123456789abcdef",
}


def stored(algorithm: str) -> str:
    key = KEYS[algorithm]
    if isinstance(key, str):
        return key
    text: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return text.decode().replace("\n", "\\n")


def made(algorithm: str, means: Lent, key: str | None = None, **more: Any) -> Authenticator:
    auth = {"key": "env://K", "algorithm": algorithm, "claims": {"iss": "robot"}, **more}
    done = authenticator("jwt", auth, {"K": key or stored(algorithm)}, means)
    assert isinstance(done, Authenticator)
    return done


def sent(which: Authenticator) -> Outgoing:
    request = Outgoing("GET", "https://api.test/x", [])

    async def send() -> None:
        await which.prepare()
        await which.apply(request)

    asyncio.run(send())
    return request


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_token(algorithm: str) -> None:
    means = Lent(variables={"team": "acme"})
    claims = {"iss": "{{ vars.team }}.ROBOT", "aud": ["a", "b"], "n": 1, "none": None}
    request = sent(made(algorithm, means, claims=claims, key_id="k-1", lifetime="20m"))
    ((name, value),) = request.headers
    scheme, _, token = value.partition(" ")
    assert (name, scheme) == ("Authorization", "Bearer")
    key = KEYS[algorithm]
    read = jwt.decode(
        token, key if isinstance(key, str) else key.public_key(), algorithms=[algorithm], audience="a",
        options={"verify_exp": False, "verify_iat": False},
    )  # fmt: skip
    now = int(means.time)
    assert read == {"iss": "acme.ROBOT", "aud": ["a", "b"], "n": 1, "iat": now, "exp": now + 1200}
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": "k-1"}
    assert list(means.registered) == [token]


def test_other_header_hex_key_and_no_iat() -> None:
    key = bytes(range(32)).hex()
    means = Lent()
    auth = made("HS256", means, key, key_encoding="hex", header="X-Token", claims={"iat": None})
    ((name, token),) = sent(auth).headers
    assert name == "X-Token"
    read = jwt.decode(token, bytes(range(32)), algorithms=["HS256"], options={"verify_exp": False})
    assert read == {"exp": int(means.time) + 300}


def test_it_is_signed_anew_before_it_expires_and_after_a_401() -> None:
    means = Lent()
    which = made("HS256", means)
    first = sent(which)
    means.time += 269
    assert sent(which).headers == first.headers
    means.time += 2
    second = sent(which)
    assert second.headers != first.headers
    assert asyncio.run(which.refresh(Refused(first))), "sent with an older token than there is now"
    assert not asyncio.run(which.refresh(Refused(second))), (
        "a token of this moment: the key is what is refused"
    )
    means.time += 5
    assert asyncio.run(which.refresh(Refused(second)))
    assert sent(which).headers != second.headers


def test_a_key_that_cannot_sign_names_the_field() -> None:
    with pytest.raises(FieldError, match=r"^has 5 bytes, and a key for HS256 needs 32") as caught:
        made("HS256", Lent(), "short")
    assert caught.value.name == "key"
    with pytest.raises(FieldError, match=r"^is not hex, as `key_encoding` says"):
        made("HS256", Lent(), "x" * 40, key_encoding="hex")


def test_without_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(FailureError, match="takes the packages PyJWT and cryptography") as caught:
        keys.Signer("x" * 32, "HS256")
    assert caught.value.failure.help == "install runner.d with its extra: pip install 'runner.d[jwt]'"


def test_plan() -> None:
    auth = {"key": "env://K", "algorithm": "ES256", "claims": {}}
    assert shown("jwt", auth).headers == {
        "Authorization": "Bearer ‹ES256 token signed with ‹secret env://K››"
    }
    ghost = {**auth, "prefix": "Ghost", "header": "authorization"}
    assert shown("jwt", ghost).headers["authorization"].startswith("Ghost ‹ES256")
