"""The ways to sign in whose credentials are made on the way: signed assertions, app tokens, refresh tokens that are replaced.

Each preset signs in at a server that takes exactly what `exchanges.yaml` says, with its secrets in OpenBao; signatures
are checked with the public key. What is replaced is written back, and the next run spends nothing.
"""

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from runner.cli.type_facts import preset as facts
from runner.connection_test import send_tests
from runner.sensitive import Redactor
from tests.integration.vault_workspace import Workspace
from tests.presets.test_presets import DECLARED, EXCHANGES, TOKEN_PATH, WAYS, differences, token
from tests.projects import finished, make
from tests.servers.http import Request, Response, Server, reply

JsonObject = dict[str, Any]
SIGNED = sorted({*DECLARED} - {*WAYS})
ROTATING = [way for way in SIGNED if "token" in EXCHANGES[way.split()[0]][way.split()[1]]
            and EXCHANGES[way.split()[0]][way.split()[1]]["token"]["form"]["grant_type"] == "refresh_token"]  # fmt: skip
SECOND = "s3cret-refresh_token-the-second"
NEW = {"access_token": "s3cret-access_token", "token_type": "Bearer", "expires_in": 3600}


def pem() -> tuple[rsa.RSAPublicKey, str]:
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key.public_key(), text.decode()


class Provider:
    """Gives tokens for what is signed by the key, or for a refresh token that was not used before."""

    def __init__(self, key: rsa.RSAPublicKey) -> None:
        self.key = key
        self.url = ""
        self.asked: Counter[str] = Counter()
        self.wrong: dict[str, list[str]] = {}

    def __call__(self, request: Request) -> Response:
        first = request.path.split("/")[1]
        if first == "app":
            return self.installation(request)
        name, _, way = first.partition("+")
        exchange = EXCHANGES[name][way]
        if request.path.endswith(TOKEN_PATH):
            self.asked[f"{name} {way}"] += 1
            return self.token(request, exchange["token"], f"{self.url}/{first}{TOKEN_PATH}")
        headers = dict(exchange.get("headers", {}))
        if "claims" in exchange:
            sent = (request.header("Authorization") or "").removeprefix("Bearer ")
            if not self.signed(sent, exchange["claims"]):
                return reply({"wrong": "signature"}, status=401)
            headers["Authorization"] = f"Bearer {sent}"
        wrong = differences(request, {**exchange, "headers": headers})
        if wrong:
            self.wrong[f"{name} {way}"] = wrong
            return reply({"wrong": wrong}, status=401)
        return reply(exchange["ok"])

    def token(self, request: Request, wanted: JsonObject, url: str) -> Response:
        form = dict(parse_qsl(request.body.decode()))
        if "claims" in wanted:
            proof = form.get("assertion") or form.get("client_assertion", "")
            claims = {key: url if item == "TOKEN_URL" else item for key, item in wanted["claims"].items()}
            if not self.signed(proof, claims):
                return reply({"error": "invalid_grant"}, status=400)
        answer = token(request, wanted)
        if answer.status == 200 and "refresh_token" in form:
            return reply({**NEW, "refresh_token": SECOND})
        return answer

    def installation(self, request: Request) -> Response:
        sent = (request.header("Authorization") or "").removeprefix("Bearer ")
        app = facts("github")["auth"][1]["file"]["auth"]
        right = request.path == f"/app/installations/{app['installation_id']}/access_tokens"
        if not right or not self.signed(sent, {"iss": app["app_id"]}):
            return reply({}, status=401)
        ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        return reply({"token": "s3cret-access_token", "expires_at": ends}, status=201)

    def signed(self, proof: str, claims: JsonObject) -> bool:
        try:
            read = jwt.decode(
                proof,
                self.key,
                algorithms=["RS256"],
                options={"require": ["iat", "exp"], "verify_aud": False},
            )
        except jwt.InvalidTokenError:
            return False
        return claims.items() <= read.items()


def secrets(way: str, key: str, word: str) -> JsonObject:
    """Give what is stored for a way: Google has its keys in a file of JSON."""
    if way.split(maxsplit=1)[0].startswith(("google", "gmail")):
        key = json.dumps({"client_email": "robot@project.iam.gserviceaccount.com", "private_key": key})
    return dict.fromkeys(("key", "private_key"), key) | {
        "client_secret": "s3cret-client_secret", "refresh_token": f"{word}refresh_token",
    }  # fmt: skip


def file_of(way: str, folder: str) -> JsonObject:
    """Give the file that `runner types` shows, with its secrets at a path of its own."""
    name, scheme = way.split()
    (found,) = (each["file"] for each in facts(name)["auth"] if each["name"] == scheme)
    text = re.sub(r"vault://secret/[^#]+#", f"vault://secret/{folder}/{name}-{scheme}#", json.dumps(found))
    file: JsonObject = json.loads(text)
    return file


def moved(way: str, file: JsonObject, base_url: str, server: str) -> JsonObject:
    """Give the file for the server instead of the vendor."""
    name, scheme = way.split()
    place = f"{server}/{name}+{scheme}"
    auth = dict(file["auth"])
    if "token" in EXCHANGES[name][scheme]:
        auth["token_url"] = f"{place}{TOKEN_PATH}"
    return {**file, "auth": auth, "base_url": f"{place}{urlsplit(base_url).path}"}


def test_every_way_that_signs_or_writes_back(vault: Workspace, tmp_path: Path) -> None:
    (public, right), (_, other) = pem(), pem()
    provider = Provider(public)
    environ = vault.environ(VAULT_TOKEN=vault.server.root_token)
    with Server({"* /**": provider}) as server:
        provider.url = server.url
        own = make(
            tmp_path / "own",
            {f"connections.d/{way.replace(' ', '-')}.yaml": file_of(way, "a") for way in SIGNED},
        )
        files = {}
        for folder, key, word in (("right", right, "s3cret-"), ("wrong", other, "another-")):
            for way in SIGNED:
                path = way.replace(" ", "-")
                vault.put(f"secret/{folder}/{path}", secrets(way, key, word))
                files[f"connections.d/{folder}/{path}.yaml"] = moved(
                    way, file_of(way, folder), own.connections[path].base_url.text, server.url
                )
        project = make(tmp_path / "project", files)

        def outcomes(folder: str) -> dict[str, JsonObject]:
            names = [f"{folder}/{way.replace(' ', '-')}" for way in SIGNED]
            tests = send_tests(project, names, environ=environ, redactor=Redactor(), warn=lambda _: None)
            return dict(zip(SIGNED, finished(tests), strict=True))

        told = {way: each for way, each in outcomes("right").items() if each["classification"] != "ok"}
        assert told == {}, provider.wrong
        assert {way: provider.asked[way] for way in ROTATING} == dict.fromkeys(ROTATING, 1)
        refused = {way: each["classification"] for way, each in outcomes("wrong").items()}
        assert refused == dict.fromkeys(SIGNED, "unauthorized")

        provider.asked.clear()
        again = {way: each["classification"] for way, each in outcomes("right").items()}
        assert again == dict.fromkeys(SIGNED, "ok")
        assert {way: provider.asked[way] for way in ROTATING} == dict.fromkeys(ROTATING, 0)
    for way in ROTATING:
        stored = vault.ask("GET", f"secret/data/right/{way.replace(' ', '-')}")["data"]["data"]
        assert (stored["refresh_token"], stored["client_secret"]) == (SECOND, "s3cret-client_secret")
        assert "claim" not in stored
