"""The servers that all integration tests share, started when the first test asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.vault_workspace import Workspace
from tests.oidc.server import OAuthServer
from tests.oidc.server import running as oauth_running
from tests.servers.certificates import Authority
from tests.servers.openbao import OpenBao


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A server without TLS, unsealed."""
    with OpenBao.development(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture
def vault(openbao: OpenBao, tmp_path: Path) -> Workspace:
    """A namespace of its own, with KV version 2 at `secret/` and a token that may read it: policy `reader`."""
    workspace = Workspace.make(openbao, tmp_path)
    workspace.mount("secret")
    workspace.policy("reader", "secret/data/*")
    return workspace


@pytest.fixture
def stored(vault: Workspace) -> Workspace:
    """A workspace with `secret/app#a` = `the value`."""
    vault.put("secret/app", {"a": "the value"})
    return vault


@pytest.fixture(scope="session")
def oauth(authority: Authority) -> Iterator[OAuthServer]:
    """An OAuth server that rotates refresh tokens, with an API that takes its tokens."""
    with oauth_running(authority) as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that signs what the TLS servers show."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def openbao_tls(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[OpenBao]:
    """A server with TLS, unsealed, whose certificate is for 127.0.0.1 and `vault.test`."""
    certificate = authority.server("127.0.0.1", "vault.test")
    directory = tmp_path_factory.mktemp("openbao-tls")
    with OpenBao.with_tls(directory, certificate, authority.ca_file) as server:
        yield server


@pytest.fixture
def vault_tls(openbao_tls: OpenBao, tmp_path: Path) -> Workspace:
    """As `vault`, over TLS."""
    workspace = Workspace.make(openbao_tls, tmp_path)
    workspace.mount("secret")
    workspace.policy("reader", "secret/data/*")
    return workspace
