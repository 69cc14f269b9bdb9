"""The policy of a project: what reviewers permit, whatever connections and workflows say (SPEC 8)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from fnmatch import fnmatchcase
from typing import Any

from runner.frozen import dataclass

_PLACE = re.compile(r"(?:\[(?P<bracketed>[^\]]*)\]|(?P<host>[^:\[\]]*))(?::(?P<port>\d+|\*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The clauses of `policy` in runner.yaml; None or empty where a clause is not given.

    `hosts` are patterns of host names (`*.example.com` does not match `example.com` itself), `secrets` says for each
    pattern of connection names which patterns of Vault paths they may name.
    """

    hosts: tuple[str, ...] | None = None
    deny_methods: frozenset[str] = frozenset()
    require_https: bool = False
    require_shared: bool = False
    max_attempts: int | None = None
    secrets: Mapping[str, Sequence[str]] | None = field(default=None)

    def permits_host(self, host: str) -> bool:
        """Tell whether a request may reach a host. `host` may carry a port; a pattern without one permits every port."""
        if self.hosts is None:
            return True
        name, port = _split(host)
        for pattern in self.hosts:
            wanted, wanted_port = _split(pattern)
            if fnmatchcase(name, wanted) and wanted_port in (None, "*", port):
                return True
        return False

    def permits_secret(self, connection: str, path: str) -> bool:
        """Tell whether a connection may name a Vault path. A connection that no pattern names may name none."""
        if self.secrets is None:
            return True
        patterns = [
            pattern
            for names, allowed in self.secrets.items()
            if fnmatchcase(connection, names)
            for pattern in allowed
        ]
        return any(fnmatchcase(path, pattern) for pattern in patterns)


def bind(value: Mapping[str, Any]) -> Policy:
    """Make the policy from the checked value of `policy`."""
    return Policy(
        hosts=tuple(value["hosts"]) if "hosts" in value else None,
        deny_methods=frozenset(value.get("deny_methods", ())),
        require_https=value.get("require_https", False),
        require_shared=value.get("require_shared", False),
        max_attempts=value.get("max_attempts"),
        secrets=value.get("secrets"),
    )


def _split(place: str) -> tuple[str, str | None]:
    """Part a host, or a pattern of hosts, from its port: lower case, without the brackets of an IPv6 address."""
    match = _PLACE.fullmatch(place.strip().lower())
    if match is None:
        return place.lower(), None
    return (match["bracketed"] or match["host"]).rstrip("."), match["port"]
