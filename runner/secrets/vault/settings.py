"""How to reach Vault: the `VAULT_*` variables of its command line and `vault` of runner.yaml, as one frozen value.

Each variable is also read as `BAO_*`, the name that OpenBao's command line uses, where the `VAULT_*` one is not set.
Variables win over the file. https://developer.hashicorp.com/vault/docs/commands#environment-variables
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from runner.frozen import dataclass

DEFAULT_TIMEOUT = 60.0
DEFAULT_RETRIES = 2
FILE = "runner.yaml"
SOCKET = "unix://"

_GO_DURATION = re.compile(r"(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+\Z")
_GO_PART = re.compile(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)")
_GO_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_GO_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_GO_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class SettingsError(Exception):
    """A setting is missing or wrong; names where it stands and the remedy."""

    def __init__(self, message: str, *, help: str) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """Everything that is needed to talk to one Vault. Fields that end in `_from` say where a value was found."""

    address: str
    address_from: str
    namespace: str | None = None
    namespace_from: str = ""
    ca_file: Path | None = None
    ca_path: Path | None = None
    ca_pem: str | None = field(default=None, repr=False)
    ca_from: str = "the certificate store of this machine"
    client_cert: Path | None = None
    client_key: Path | None = None
    client_cert_from: str = ""
    verify: bool = True
    server_name: str | None = None
    timeout: float = DEFAULT_TIMEOUT
    max_retries: int = DEFAULT_RETRIES
    proxy: str | None = field(default=None, repr=False)
    proxy_from: str = ""
    follow_redirect: bool = True
    through_agent: bool = False
    mounts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def socket(self) -> str | None:
        """The path of the Unix socket that the address names, if it does."""
        return self.address.removeprefix(SOCKET) if self.address.startswith(SOCKET) else None

    @property
    def url(self) -> str:
        """What requests are sent to: through a socket, a host that stands for nothing."""
        return self.address if self.socket is None else "http://localhost"


class CliVariables:
    """The environment as Vault's command line sees it: `VAULT_X`, else `BAO_X`; an empty one counts as not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def find(self, name: str) -> tuple[str, str] | None:
        """Give value and full name of a variable, without its prefix in `name`."""
        for full in (f"VAULT_{name}", f"BAO_{name}"):
            if self.environ.get(full):
                return self.environ[full], full
        return None

    def text(self, name: str) -> str | None:
        """Give the value of a variable, None where it is not set."""
        found = self.find(name)
        return found[0] if found else None


def resolve_settings(config: Mapping[str, Any], environ: Mapping[str, str], directory: Path) -> VaultSettings:
    """Settle every setting; raises SettingsError. Paths in the file are relative to `directory`, the project."""
    variables = CliVariables(environ)
    warnings: list[str] = []
    address, address_from, through_agent = _address(config, variables)
    namespace = variables.find("NAMESPACE") or (config.get("namespace"), f"vault.namespace in {FILE}")
    proxy, proxy_from = _proxy(address, variables)
    verify = not _flag(variables, "SKIP_VERIFY")
    parts = urlsplit(address)
    if not verify and parts.scheme == "https":
        warnings.append(
            "VAULT_SKIP_VERIFY is set: anybody on the way to Vault can read the token and every secret. "
            "Set VAULT_CACERT to the right CA instead."
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        warnings.append(
            f"the Vault address {address} is plain http: the token and every secret travel unencrypted"
        )
    cert, key, cert_from = _client_certificate(config, variables, directory)
    return VaultSettings(
        address=address,
        address_from=address_from,
        namespace=(namespace[0] or "").strip().strip("/") or None,
        namespace_from=namespace[1],
        **_authority(config, variables, directory),
        client_cert=cert,
        client_key=key,
        client_cert_from=cert_from,
        verify=verify,
        server_name=variables.text("TLS_SERVER_NAME"),
        timeout=_timeout(variables),
        max_retries=_retries(variables),
        proxy=proxy,
        proxy_from=proxy_from,
        follow_redirect=not _flag(variables, "DISABLE_REDIRECTS"),
        through_agent=through_agent,
        mounts={name.strip("/"): kind for name, kind in config.get("mounts", {}).items()},
        warnings=tuple(warnings),
    )


def go_duration(text: str) -> float | None:
    """Read a duration as Vault's command line does: `90`, `1.5s`, `1m30s`; seconds, or None where it is none."""
    if re.fullmatch(r"\d+", text):
        return float(text)
    if not _GO_DURATION.match(text):
        return None
    return sum(float(number) * _GO_UNITS[unit] for number, unit in _GO_PART.findall(text))


def go_bool(text: str) -> bool | None:
    """Read a truth value as Go's ParseBool does: `yes` is none."""
    return True if text in _GO_TRUE else False if text in _GO_FALSE else None


def _address(config: Mapping[str, Any], variables: CliVariables) -> tuple[str, str, bool]:
    agent = variables.find("AGENT_ADDR")
    found = agent or variables.find("ADDR")
    value, where = found or (config.get("address") or "", f"vault.address in {FILE}")
    if not value.strip():
        raise SettingsError(
            "no Vault address is set",
            help=f"set VAULT_ADDR, or vault.address in {FILE}, for example https://vault.example.com:8200",
        )
    return check_address(value, where), where, agent is not None


def check_address(value: str, where: str) -> str:
    """Give the address without a slash at its end; raises SettingsError with a remedy of its own for each mistake."""
    address = value.strip()
    if any(not char.isprintable() or char.isspace() for char in address):
        raise SettingsError(
            f"the Vault address from {where} holds a space or a control character", help="remove it"
        )
    if "@" in address:
        # Not shown: what stands before the @ is a password.
        raise SettingsError(
            f"the Vault address from {where} holds a user name or a password",
            help="write it without 'user:password@'; Vault logs in by token or by vault.auth",
        )
    scheme, separator, rest = address.partition("://")
    if not separator:
        raise SettingsError(
            f"the Vault address '{address}' from {where} has no scheme",
            help=f"write https://{address.lstrip('/')}",
        )
    if scheme.lower() == "unix":
        if not rest.startswith("/"):
            raise SettingsError(
                f"the Vault address '{address}' from {where} names no absolute path of a socket",
                help="write three slashes: unix:///run/vault/agent.sock",
            )
        return f"{SOCKET}{rest}"
    if scheme.lower() not in {"http", "https"} or not rest:
        raise SettingsError(
            f"the Vault address '{address}' from {where} is no http or https URL",
            help="write https://HOST:PORT, for example https://vault.example.com:8200",
        )
    if "?" in address or "#" in address:
        raise SettingsError(
            f"the Vault address from {where} holds a query or a fragment", help="write https://HOST:PORT only"
        )
    _check_host(address, where)
    stripped = address.rstrip("/")
    for suffix, reason in (("/v1", "it is added for each request"), ("/ui", "that is the page for people")):
        if stripped.endswith(suffix):
            raise SettingsError(
                f"the Vault address '{address}' from {where} ends in {suffix}: {reason}",
                help=f"write {stripped.removesuffix(suffix)}",
            )
    return stripped


def _check_host(address: str, where: str) -> None:
    problem = SettingsError(
        f"the Vault address '{address}' from {where} has no valid host and port",
        help="write https://HOST:PORT",
    )
    try:
        parts: SplitResult = urlsplit(address)
        port = parts.port
    except ValueError:
        raise problem from None
    if not parts.hostname or port == 0:
        raise problem


def _authority(config: Mapping[str, Any], variables: CliVariables, directory: Path) -> dict[str, Any]:
    """Find the CA. As in Vault's command line a file comes before the text, and the text before a directory."""
    if found := variables.find("CACERT"):
        return {"ca_file": Path(found[0]), "ca_from": f"{found[1]} ({found[0]})"}
    if found := variables.find("CACERT_BYTES"):
        return {"ca_pem": found[0], "ca_from": found[1]}
    if found := variables.find("CAPATH"):
        return {"ca_path": Path(found[0]), "ca_from": f"{found[1]} ({found[0]})"}
    if config.get("ca_cert"):
        path = directory / config["ca_cert"]
        return {"ca_file": path, "ca_from": f"vault.ca_cert in {FILE} ({path})"}
    if variables.environ.get("SSL_CERT_FILE"):
        path = Path(variables.environ["SSL_CERT_FILE"])
        return {"ca_file": path, "ca_from": f"SSL_CERT_FILE ({path})"}
    return {}


def _client_certificate(
    config: Mapping[str, Any], variables: CliVariables, directory: Path
) -> tuple[Path | None, Path | None, str]:
    auth = config.get("auth") or {}
    if auth.get("method") == "cert" and (auth.get("cert") or auth.get("key")):
        cert, key, where = auth.get("cert"), auth.get("key"), f"vault.auth in {FILE}"
        missing = "vault.auth.key" if cert else "vault.auth.cert"
        paths = (directory / cert if cert else None, directory / key if key else None)
    else:
        cert, key, where = variables.text("CLIENT_CERT"), variables.text("CLIENT_KEY"), "VAULT_CLIENT_CERT"
        missing = "VAULT_CLIENT_KEY" if cert else "VAULT_CLIENT_CERT"
        paths = (Path(cert) if cert else None, Path(key) if key else None)
    if bool(cert) != bool(key):
        raise SettingsError(
            "of the client certificate for Vault only one half is set",
            help=f"set {missing} too; where one file holds both, name it twice",
        )
    return (*paths, where)


def _timeout(variables: CliVariables) -> float:
    found = variables.find("CLIENT_TIMEOUT")
    if not found:
        return DEFAULT_TIMEOUT
    seconds = go_duration(found[0].strip())
    if not seconds:
        raise SettingsError(
            f"{found[1]} is '{found[0]}', which is no duration over zero", help="write seconds (60) or 1m30s"
        )
    return seconds


def _retries(variables: CliVariables) -> int:
    found = variables.find("MAX_RETRIES")
    if not found:
        return DEFAULT_RETRIES
    if not re.fullmatch(r"\d{1,3}", found[0].strip()):
        raise SettingsError(f"{found[1]} is '{found[0]}', which is no count", help="write a number from 0")
    return int(found[0])


def _flag(variables: CliVariables, name: str) -> bool:
    found = variables.find(name)
    if not found:
        return False
    value = go_bool(found[0])
    if value is None:
        raise SettingsError(
            f"{found[1]} is '{found[0]}', which is neither true nor false", help="write true or false"
        )
    return value


def _proxy(address: str, variables: CliVariables) -> tuple[str | None, str]:
    """Choose the HTTP proxy. Those of Vault hold for every address, the general ones not for loopback; none for a socket."""
    if address.startswith(SOCKET):
        return None, ""
    for name in ("PROXY_ADDR", "HTTP_PROXY"):
        if found := variables.find(name):
            return _check_proxy(*found), found[1]
    return general_proxy(address, variables.environ)


def general_proxy(address: str, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Choose the proxy that the environment names for any program; None for loopback and what NO_PROXY exempts."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    exempt = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    if _is_loopback(host) or bypasses_proxy(host, parts.port, exempt):
        return None, ""
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        for full in (name.upper(), name):
            if environ.get(full):
                return _check_proxy(environ[full], full), full
    return None, ""


def _check_proxy(value: str, where: str) -> str:
    """Give the proxy as a URL. It is never shown: it can hold a password."""
    url = value.strip() if "://" in value else f"http://{value.strip()}"
    try:
        parts = urlsplit(url)
        usable = bool(parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0)
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"the proxy from {where} is no http or https URL", help="write http://HOST:PORT")
    return url


def bypasses_proxy(host: str, port: int | None, exempt: str) -> bool:
    """Tell whether `NO_PROXY` exempts a host: names with their subdomains, addresses, networks, `*`, with a port or not."""
    for raw in exempt.split(","):
        entry = raw.strip().lower()
        if not entry:
            continue
        if entry == "*":
            return True
        name, colon, number = entry.rpartition(":")
        if colon and number.isdigit() and ":" not in name:
            if port != int(number):
                continue
            entry = name
        if "/" in entry:
            try:
                if ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False):
                    return True
            except ValueError:
                continue
        suffix = entry.removeprefix("*").removeprefix(".")
        if host == suffix or host.endswith(f".{suffix}"):
            return True
    return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
