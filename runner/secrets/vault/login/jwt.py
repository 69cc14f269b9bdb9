"""`method: jwt`: a signed token of a CI system or another identity provider, for logins without a stored secret."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from runner.errors import JsonObject
from runner.secrets.vault.client import VaultClient
from runner.secrets.vault.credentials import Credentials, header_safe
from runner.secrets.vault.explain import VaultProblemError, clean
from runner.secrets.vault.login import ENV_REFERENCE, TEXT, Login, ask, from_answer
from runner.secrets.vault.settings import SettingsError, general_proxy

SCHEMA: JsonObject = {
    "properties": {
        "role": {**TEXT, "description": "The role of the auth method.", "examples": ["runner"]},
        "token": {
            **ENV_REFERENCE,
            "description": "The environment variable with the JWT: env://NAME.",
            "examples": ["env://CI_JOB_JWT"],
        },
        "token_file": {
            **TEXT,
            "description": "The file with the JWT, relative to the project.",
            "examples": ["/var/run/secrets/tokens/vault"],
        },
        "source": {
            "enum": ["github_actions", "gitlab"],
            "description": "The CI system that gives the JWT. Without token and source: whichever is found.",
            "examples": ["github_actions"],
        },
        "audience": {
            **TEXT,
            "description": "The audience to ask GitHub Actions for. Default: GitHub's own.",
            "examples": ["https://vault.example.com"],
        },
        "variable": {
            "type": "string",
            "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
            "description": "The name under `id_tokens` of the GitLab job. Default: VAULT_ID_TOKEN.",
            "examples": ["VAULT_ID_TOKEN"],
        },
    },
    "required": ["role"],
}

REQUEST_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
GITLAB_VARIABLE = "VAULT_ID_TOKEN"
TIMEOUT = 30.0
ADVICE = "compare the role's bound_audiences, bound_subject and bound_claims with what the JWT says"


def log_in(client: VaultClient, config: Mapping[str, Any], credentials: Credentials) -> Login:
    """Get the JWT and log in with it."""
    token = credentials.learn(header_safe(_jwt(config, credentials), "vault.auth"), "JWT for Vault")
    return from_answer(
        ask(client, config, "login", {"role": config["role"], "jwt": token}, ADVICE), config, credentials
    )


def _jwt(config: Mapping[str, Any], credentials: Credentials) -> str:
    given = credentials.optional(config, "token")
    if given is not None:
        return given
    environ = credentials.environ
    source = config.get("source")
    variable = str(config.get("variable") or GITLAB_VARIABLE)
    if source == "github_actions" or (source is None and environ.get(REQUEST_URL)):
        return _from_github(environ, config.get("audience"), credentials)
    if source == "gitlab" or (source is None and environ.get(variable)):
        value = environ.get(variable)
        if not value:
            raise VaultProblemError(
                f"the GitLab ID token {variable} is not set",
                help=f"add to the job: id_tokens: {{{variable}: {{aud: https://YOUR-VAULT}}}}",
                everywhere=True,
            )
        return value
    unused = (
        "; VAULT_TOKEN is set, but vault.auth in runner.yaml comes first"
        if environ.get("VAULT_TOKEN")
        else ""
    )
    raise VaultProblemError(
        "there is no JWT to log in with: looked for vault.auth.token, vault.auth.token_file, "
        f"{REQUEST_URL} (GitHub Actions) and {variable} (GitLab){unused}",
        help="in GitHub Actions give the job 'permissions: id-token: write', in GitLab 'id_tokens', else name the token",
        everywhere=True,
    )


def _from_github(environ: Mapping[str, str], audience: str | None, credentials: Credentials) -> str:
    """Ask the runner's own endpoint for an ID token.

    https://docs.github.com/actions/reference/security/oidc#methods-for-requesting-the-oidc-token
    """
    url, bearer = environ.get(REQUEST_URL), environ.get(REQUEST_TOKEN)
    if not url or not bearer:
        missing = REQUEST_URL if not url else REQUEST_TOKEN
        raise VaultProblemError(
            f"{missing} is not set: GitHub Actions gives this job no ID token",
            help="add to the job: 'permissions: {id-token: write, contents: read}'",
            everywhere=True,
        )
    credentials.learn(bearer, REQUEST_TOKEN)
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise VaultProblemError(
            f"{REQUEST_URL} is no https address", help="only GitHub Actions should set it", everywhere=True
        )
    if audience:
        url += ("&" if parts.query else "?") + f"audience={quote(audience, safe='')}"
    status, answer = _fetch(url, header_safe(bearer, REQUEST_TOKEN), environ)
    value = answer.get("value") if isinstance(answer, dict) else None
    if status != 200 or not isinstance(value, str):
        said = clean(str(answer.get("message", ""))) if isinstance(answer, dict) else ""
        raise VaultProblemError(
            f"GitHub Actions gave no ID token (status {status})" + (f": {said}" if said else ""),
            help="check 'permissions: id-token: write' of the job and vault.auth.audience",
            everywhere=True,
            passing=status >= 500,
        )
    return value


def _fetch(url: str, bearer: str, environ: Mapping[str, str]) -> tuple[int, Any]:
    """Send one GET. The URL and the errors of the library hold what must not be shown."""
    import requests

    try:
        proxy, _ = general_proxy(url, environ)
        with requests.Session() as session:
            session.trust_env = False  # else ~/.netrc replaces the Authorization header
            session.verify = environ.get("SSL_CERT_FILE") or True
            session.proxies = {"http": proxy, "https": proxy} if proxy else {}
            answer = session.get(
                url,
                headers={"Authorization": f"Bearer {bearer}", "Accept": "application/json"},
                timeout=TIMEOUT,
                allow_redirects=False,
            )
            return answer.status_code, json.loads(answer.content or b"null")
    except (requests.exceptions.RequestException, SettingsError, OSError, ValueError):
        raise VaultProblemError(
            "GitHub Actions did not answer the request for an ID token",
            help="is this job on a GitHub runner, and may it reach GitHub?",
            everywhere=True,
            passing=True,
        ) from None
