"""Logins with signed tokens, against a real server: JWT of CI systems, and Kubernetes service accounts."""

from typing import Any

import pytest

from tests.integration.vault_workspace import Workspace, enable
from tests.servers.certificates import Authority
from tests.servers.http import Request, Response, Server, reply
from tests.servers.signing import Signer


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture
def jwt(stored: Workspace, signer: Signer) -> Workspace:
    enable(stored, "jwt")
    stored.ask("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [signer.public_pem]})
    role = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": ["https://vault.test"],
        "bound_claims": {"repository": "team/runner"},
        "token_policies": ["reader"],
    }
    stored.ask("POST", "auth/jwt/role/runner", role)
    return stored


def claims(**more: Any) -> dict[str, Any]:
    return {"sub": "job", "aud": "https://vault.test", "repository": "team/runner", **more}


def test_jwt_from_a_variable_and_from_a_file(jwt: Workspace, signer: Signer) -> None:
    token = signer.sign(claims())
    (jwt.directory / "jwt").write_text(token)
    auth = {"method": "jwt", "role": "runner"}

    by_variable = jwt.read("secret/app#a", config={"auth": {**auth, "token": "env://MY_JWT"}}, MY_JWT=token)
    by_file = jwt.read("secret/app#a", config={"auth": {**auth, "token_file": "jwt"}})

    assert by_variable == by_file == ["the value"]
    assert jwt.registered[token] == "JWT for Vault"


def test_a_jwt_for_somebody_else_says_what_vault_said(jwt: Workspace, signer: Signer) -> None:
    auth = {"method": "jwt", "role": "runner", "token": "env://MY_JWT"}
    wrong = signer.sign(claims(repository="team/other"))

    problem = jwt.problem("secret/app#a", config={"auth": auth}, MY_JWT=wrong)

    assert 'claim "repository" does not match' in problem.message
    assert "bound_claims" in str(problem.help)


def test_gitlab(jwt: Workspace, signer: Signer) -> None:
    token = signer.sign(claims())
    auth = {"method": "jwt", "role": "runner"}

    found = jwt.read("secret/app#a", config={"auth": auth}, VAULT_ID_TOKEN=token)
    named = {**auth, "source": "gitlab", "variable": "OTHER"}
    named_found = jwt.read("secret/app#a", config={"auth": named}, OTHER=token)
    missing = jwt.problem("secret/app#a", config={"auth": {**auth, "source": "gitlab"}})

    assert found == named_found == ["the value"]
    assert missing.message == "the GitLab ID token VAULT_ID_TOKEN is not set"


def test_github_actions(jwt: Workspace, signer: Signer) -> None:
    def issue(request: Request) -> Response:
        if request.header("Authorization") != "Bearer request-token":
            return reply({"message": "no"}, 401)
        return reply({"value": signer.sign(claims(aud=request.parameter("audience") or "default"))})

    auth = {"method": "jwt", "role": "runner", "audience": "https://vault.test"}
    (jwt.directory / ".netrc").write_text("machine 127.0.0.1 login thief password stolen\n")
    with Server({"GET /idtoken": issue}) as github:
        variables = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{github.url}/idtoken?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
        }
        assert jwt.read("secret/app#a", config={"auth": auth}, environ=jwt.environ(**variables)) == [
            "the value"
        ]
        assert github.requests[0].query == (("api-version", "2"), ("audience", "https://vault.test"))

        refused = {**variables, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "another-token"}
        problem = jwt.problem("secret/app#a", config={"auth": auth}, **refused)
    assert problem.message == "GitHub Actions gave no ID token (status 401): no"


def test_github_actions_without_the_permission(jwt: Workspace) -> None:
    auth = {"method": "jwt", "role": "runner", "source": "github_actions"}

    problem = jwt.problem("secret/app#a", config={"auth": auth})

    assert problem.message.startswith("ACTIONS_ID_TOKEN_REQUEST_URL is not set")
    assert "id-token: write" in str(problem.help)


def test_without_a_jwt_the_error_lists_what_was_looked_for(jwt: Workspace) -> None:
    problem = jwt.problem(
        "secret/app#a", config={"auth": {"method": "jwt", "role": "runner"}}, VAULT_TOKEN="unused"
    )

    for place in ("vault.auth.token", "ACTIONS_ID_TOKEN_REQUEST_URL", "VAULT_ID_TOKEN", "VAULT_TOKEN is set"):
        assert place in problem.message


# --- kubernetes


def test_kubernetes(stored: Workspace, signer: Signer, authority: Authority) -> None:
    account = {"namespace": "jobs", "serviceaccount": {"name": "runner", "uid": "u-1"}}

    def review(request: Request) -> Response:
        user = {"username": "system:serviceaccount:jobs:runner", "uid": "u-1", "groups": []}
        return reply(
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "status": {"authenticated": True, "user": user},
            }
        )

    token = signer.sign(
        {"sub": "system:serviceaccount:jobs:runner", "kubernetes.io": account, "iss": "cluster"}
    )
    (stored.directory / "account").write_text(token)
    enable(stored, "kubernetes")
    reviews = {"POST /apis/authentication.k8s.io/v1/tokenreviews": review}
    with Server(reviews, tls=authority.server_context()) as cluster:
        stored.ask(
            "POST",
            "auth/kubernetes/config",
            {
                "kubernetes_host": cluster.url,
                "token_reviewer_jwt": token,
                "kubernetes_ca_cert": authority.ca_file.read_text(),
            },
        )
        for role, name in (("runner", "runner"), ("other", "somebody")):
            bound = {"bound_service_account_names": name, "bound_service_account_namespaces": "jobs"}
            stored.ask("POST", f"auth/kubernetes/role/{role}", {**bound, "token_policies": ["reader"]})
        auth = {"method": "kubernetes", "role": "runner", "token_file": "account"}

        assert stored.read("secret/app#a", config={"auth": auth}) == ["the value"]
        problem = stored.problem("secret/app#a", config={"auth": {**auth, "role": "other"}})

    assert "service account name not authorized" in problem.message


def test_kubernetes_outside_a_pod(stored: Workspace) -> None:
    problem = stored.problem("secret/app#a", config={"auth": {"method": "kubernetes", "role": "runner"}})

    assert "/var/run/secrets/kubernetes.io/serviceaccount/token" in problem.message
    assert "does not exist" in problem.message
