"""The `VAULT_*` variables and `vault` of runner.yaml."""

from pathlib import Path
from typing import Any

import pytest

from runner.secrets.vault.settings import (
    SettingsError,
    VaultSettings,
    bypasses_proxy,
    go_bool,
    go_duration,
    resolve_settings,
)

ADDRESS = "https://vault.test:8200"


def settle(environ: dict[str, str] | None = None, **config: Any) -> VaultSettings:
    return resolve_settings(config, {"VAULT_ADDR": ADDRESS, **(environ or {})}, Path("/project"))


def refusal(environ: dict[str, str], **config: Any) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        resolve_settings(config, environ, Path("/project"))
    assert caught.value.help
    return caught.value


def test_the_defaults_are_those_of_the_command_line() -> None:
    settings = settle()

    assert (settings.timeout, settings.max_retries, settings.verify, settings.follow_redirect) == (
        60,
        2,
        True,
        True,
    )
    assert settings.namespace is None
    assert settings.warnings == ()


def test_variables_win_over_the_file_and_vault_over_bao() -> None:
    settings = resolve_settings(
        {"address": "https://file.test", "namespace": "of-file", "ca_cert": "ca.pem"},
        {"VAULT_ADDR": f"{ADDRESS}/", "BAO_ADDR": "https://bao.test", "BAO_NAMESPACE": "of-bao"},
        Path("/project"),
    )

    assert (settings.address, settings.address_from) == (ADDRESS, "VAULT_ADDR")
    assert (settings.namespace, settings.namespace_from) == ("of-bao", "BAO_NAMESPACE")
    assert settings.ca_file == Path("/project/ca.pem")


def test_an_empty_variable_counts_as_not_set() -> None:
    settings = resolve_settings({"address": ADDRESS}, {"VAULT_ADDR": "", "VAULT_NAMESPACE": ""}, Path())

    assert settings.address_from == "vault.address in runner.yaml"
    assert settings.namespace is None


@pytest.mark.parametrize(
    ("address", "message", "remedy"),
    [
        ("", "no Vault address is set", "set VAULT_ADDR"),
        ("vault.test:8200", "has no scheme", "https://vault.test:8200"),
        ("https://vault.test/v1", "ends in /v1", "https://vault.test"),
        ("https://vault.test/v1/", "ends in /v1", "https://vault.test"),
        ("https://vault.test/ui", "ends in /ui", "https://vault.test"),
        ("https://me:hunter2@vault.test", "holds a user name or a password", "vault.auth"),
        ("https://vault.test?x=1", "holds a query", "https://HOST:PORT only"),
        ("https://vault.test:port", "no valid host and port", "https://HOST:PORT"),
        ("https://", "no http or https URL", "https://HOST:PORT"),
        ("unix://run/agent.sock", "names no absolute path", "unix:///run/"),
        ("ftp://vault.test", "no http or https URL", "https://HOST:PORT"),
        ("https://vault .test", "holds a space", "remove it"),
    ],
)
def test_each_wrong_address_has_a_message_of_its_own(address: str, message: str, remedy: str) -> None:
    error = refusal({"VAULT_ADDR": address})

    assert message in error.message
    assert remedy in error.help
    assert "hunter2" not in error.message + error.help


def test_an_address_below_a_path_is_kept() -> None:
    assert settle({"VAULT_ADDR": "https://gate.test/vault/"}).address == "https://gate.test/vault"


def test_an_agent_replaces_the_address() -> None:
    settings = settle({"VAULT_AGENT_ADDR": "http://127.0.0.1:8100"})

    assert settings.address == "http://127.0.0.1:8100"
    assert settings.through_agent


def test_plain_http_is_told_except_on_loopback() -> None:
    assert "unencrypted" in settle({"VAULT_ADDR": "http://vault.test:8200"}).warnings[0]
    assert settle({"VAULT_ADDR": "http://127.0.0.1:8200"}).warnings == ()
    assert settle({"VAULT_ADDR": "http://[::1]:8200"}).warnings == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5s", 1.5),
        ("1m30s", 90),
        ("250ms", 0.25),
        ("1h", 3600),
        ("2d", None),
        ("", None),
        ("s", None),
    ],
)
def test_durations_of_go(text: str, seconds: float | None) -> None:
    assert go_duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("T", True), ("False", False), ("0", False), ("yes", None)]
)
def test_truth_values_of_go(text: str, value: bool | None) -> None:
    assert go_bool(text) is value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VAULT_CLIENT_TIMEOUT", "soon"),
        ("VAULT_CLIENT_TIMEOUT", "0"),
        ("VAULT_MAX_RETRIES", "-1"),
        ("BAO_MAX_RETRIES", "many"),
        ("VAULT_SKIP_VERIFY", "yes"),
    ],
)
def test_wrong_values_name_the_variable(name: str, value: str) -> None:
    assert f"{name} is '{value}'" in refusal({"VAULT_ADDR": ADDRESS, name: value}).message


def test_numbers_are_taken_over() -> None:
    settings = settle({"VAULT_CLIENT_TIMEOUT": "1m", "VAULT_MAX_RETRIES": "0", "VAULT_SKIP_VERIFY": "1"})

    assert (settings.timeout, settings.max_retries, settings.verify) == (60, 0, False)
    assert "anybody on the way" in settings.warnings[0]


def test_half_a_client_certificate_is_an_error() -> None:
    assert "VAULT_CLIENT_KEY" in refusal({"VAULT_ADDR": ADDRESS, "VAULT_CLIENT_CERT": "c.pem"}).help
    auth = {"method": "cert", "key": "k.pem"}
    assert "vault.auth.cert" in refusal({"VAULT_ADDR": ADDRESS}, auth=auth).help


@pytest.mark.parametrize(
    ("environ", "proxy", "where"),
    [
        ({"VAULT_PROXY_ADDR": "http://p:1", "HTTPS_PROXY": "http://q:2"}, "http://p:1", "VAULT_PROXY_ADDR"),
        ({"VAULT_HTTP_PROXY": "http://p:1"}, "http://p:1", "VAULT_HTTP_PROXY"),
        ({"https_proxy": "q:2"}, "http://q:2", "https_proxy"),
        ({"ALL_PROXY": "http://q:2"}, "http://q:2", "ALL_PROXY"),
        ({"HTTP_PROXY": "http://q:2"}, None, ""),
        ({"HTTPS_PROXY": "http://q:2", "NO_PROXY": "other,.test"}, None, ""),
        ({"HTTPS_PROXY": "http://q:2", "VAULT_ADDR": "https://127.0.0.1:8200"}, None, ""),
    ],
)
def test_proxies(environ: dict[str, str], proxy: str | None, where: str) -> None:
    settings = settle(environ)

    assert (settings.proxy, settings.proxy_from) == (proxy, where)


def test_a_wrong_proxy_is_refused_without_showing_it() -> None:
    error = refusal({"VAULT_ADDR": ADDRESS, "VAULT_PROXY_ADDR": "socks5://me:hunter2@p:1"})

    assert "VAULT_PROXY_ADDR" in error.message
    assert "hunter2" not in error.message + error.help


@pytest.mark.parametrize(
    ("exempt", "bypassed"),
    [
        ("vault.test", True),
        (".test", True),
        ("*.test", True),
        ("test", True),
        ("*", True),
        ("vault.test:8200", True),
        ("vault.test:443", False),
        ("other.test, vault.test", True),
        ("ault.test", False),
        ("10.0.0.0/8", False),
        ("", False),
    ],
)
def test_no_proxy(exempt: str, bypassed: bool) -> None:
    assert bypasses_proxy("vault.test", 8200, exempt) is bypassed


def test_no_proxy_takes_networks() -> None:
    assert bypasses_proxy("10.1.2.3", None, "10.0.0.0/8")
    assert not bypasses_proxy("11.1.2.3", None, "10.0.0.0/8")


def test_what_may_hold_a_password_does_not_print() -> None:
    assert "hunter2" not in repr(settle({"VAULT_PROXY_ADDR": "http://me:hunter2@p:1"}))
