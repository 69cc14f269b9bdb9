"""Keys and certificates in every form that stores make of them; errors say what is wrong and hold nothing of a key."""

import base64
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from runner.keys import KeyProblemError, Signer, decoded
from runner.pem import PemError, normalised

FORMATS = serialization.PrivateFormat
RSA = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())


def pem(key: object, form: FORMATS = FORMATS.PKCS8, password: bytes | None = None) -> str:
    protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, protection).decode()  # type: ignore[attr-defined, no-any-return]


def public(
    key: object, form: serialization.PublicFormat = serialization.PublicFormat.SubjectPublicKeyInfo
) -> str:
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()  # type: ignore[attr-defined, no-any-return]


PLAIN = pem(RSA)
BODY = "".join(PLAIN.splitlines()[1:-1])


@pytest.mark.parametrize(
    "key", [PLAIN, pem(RSA, FORMATS.TraditionalOpenSSL), pem(CURVE, FORMATS.TraditionalOpenSSL)]
)
@pytest.mark.parametrize(
    "stored",
    [
        str,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\\n"),
        lambda text: text.replace("\n", "\\r\\n"),
        lambda text: text.replace("\n", " "),
        lambda text: text.replace("\n", ""),
        lambda text: f'  "{text.strip()}"\n',
        lambda text: "\ufeff" + text,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.encodebytes(text.encode()).decode(),
        lambda text: base64.b64encode(text.replace("\n", "\\n").encode()).decode(),
        lambda text: f"Bag Attributes\n    friendlyName: x\n{text}{public(RSA)}",
        lambda text: f"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{text}",
        lambda text: "\n".join(f"    {line}" for line in text.splitlines()),
    ],
)  # fmt: skip
def test_what_is_repaired(stored: Callable[[str], str], key: str) -> None:
    assert normalised(stored(key), "private key") == key


WRONG = [
    ("", "is empty"),
    (" \n", "is empty"),
    (public(RSA), "is a public key, not a private key"),
    (public(RSA, serialization.PublicFormat.PKCS1), "is a public key, not a private key"),
    ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "is a certificate, not a private key"),
    (pem(RSA, FORMATS.PKCS8, b"pw"), "is encrypted with a passphrase"),
    (pem(RSA, FORMATS.TraditionalOpenSSL, b"pw"), "is encrypted with a passphrase"),
    (pem(CURVE, FORMATS.OpenSSH), "is a private key in OpenSSH form"),
    (PLAIN[:800], "is cut off: its END line is missing"),
    (PLAIN.splitlines()[0], "is cut off: its END line is missing"),
    (PLAIN.replace(BODY[64:128], BODY[64:127]), "is damaged: what stands between BEGIN and END is not base64"),
    ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", "is damaged"),
    (BODY, "has no BEGIN and END lines"),
    (json.dumps({"type": "service_account", "key": "x"}), "is JSON, not a private key in PEM form"),
    ("hunter2-hunter2", "is not a private key in PEM form"),
    (PLAIN + PLAIN, "holds 2 private keys"),
    ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----", "is no private key"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_cannot_be_is_said(text: str, message: str) -> None:
    with pytest.raises(PemError) as caught:
        normalised(text, "private key")
    assert caught.value.message.startswith(message)
    assert caught.value.help
    for line in [line for line in text.splitlines() if len(line) > 12 and not line.startswith("-----")]:
        assert line not in caught.value.message + caught.value.help


def test_certificates_are_kept_all() -> None:
    one = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    other = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n"
    assert normalised(one + PLAIN + other.replace("\n", ""), "certificate") == one + other
    with pytest.raises(PemError, match=r"^is a private key, not a certificate$"):
        normalised(PLAIN, "certificate")


UNFIT = [
    (pem(CURVE), "RS256", "is a key on the curve secp256r1, and RS256 signs with an RSA key"),
    (PLAIN, "ES256", "is an RSA key, and ES256 signs with a key on the curve P-256"),
    (pem(ec.generate_private_key(ec.SECP384R1())), "ES256", "is a key on the curve secp384r1, and ES256"),
    (pem(ed25519.Ed25519PrivateKey.generate()), "RS256", "is a key of another kind (Ed25519), and RS256"),
    (pem(rsa.generate_private_key(65537, 1024)), "RS256", "is an RSA key of 1024 bits; RS256 needs 2048"),
    (PLAIN.replace(BODY[64:128], "A" * 64), "RS256", "cannot be read as a private key"),
    ("x" * 31, "HS256", "has 31 bytes, and a key for HS256 needs 32"),
    (PLAIN, "HS256", "is PEM, which HS256 does not use"),
]


@pytest.mark.parametrize(
    ("key", "algorithm", "message"), UNFIT, ids=[f"{kind} {said}" for _, kind, said in UNFIT]
)
def test_keys_that_do_not_fit(key: str, algorithm: str, message: str) -> None:
    with pytest.raises(KeyProblemError) as caught:
        Signer(key, algorithm)
    assert caught.value.message.startswith(message)
    assert caught.value.__cause__ is None


def test_stored_forms_of_shared_keys() -> None:
    raw = bytes(range(250, 256)) + b">>>???"
    stored = [
        ("text", "k\u00e9y "), ("hex", raw.hex()), ("base64", base64.b64encode(raw).decode()),
        ("base64", base64.urlsafe_b64encode(raw).decode().rstrip("=")), ("base64", base64.encodebytes(raw).decode()),
    ]  # fmt: skip
    assert [decoded(text, kind) for kind, text in stored] == ["k\u00e9y ".encode(), raw, raw, raw, raw]
