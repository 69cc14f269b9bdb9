"""What is measured: projects made for it, and the command lines."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.server import TOKEN
from tests.servers.openbao import OpenBao

CHAIN = 100
BASELINE = "python -c pass"
RUNNER = str(Path(sys.executable).with_name("runner"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One command line. `expected` is what its output ends with: a measured failure would be no measurement."""

    name: str
    command: tuple[str, ...]
    directory: Path
    environ: Mapping[str, str]
    expected: str = ""


def write_project(directory: Path, address: str, reference: str, requests: int) -> Path:
    """Write a project of one connection and one workflow, whose requests each use the answer of the one before."""
    (directory / "connections.d").mkdir(parents=True)
    (directory / "workflows.d").mkdir()
    connection = {
        "type": "bearer",
        "base_url": address,
        "shared": True,
        "auth": {"token": reference},
        "test": {"path": "/item/0"},
    }
    actions = [
        {
            "id": f"a{number}",
            "connection": "api",
            "request": {
                "path": f"/item/{{{{ actions.a{number - 1}.output.next }}}}" if number else "/item/0"
            },
        }
        for number in range(requests)
    ]
    outputs = {"last": f"{{{{ actions.a{requests - 1}.output.next }}}}"}
    # JSON is YAML.
    (directory / "connections.d/api.yaml").write_text(json.dumps(connection, indent=1))
    (directory / "workflows.d/main.yaml").write_text(
        json.dumps({"actions": actions, "outputs": outputs}, indent=1)
    )
    return directory


def cases(directory: Path, address: str, vault: OpenBao) -> list[Case]:
    """Set everything up and list what is measured, the baseline first."""
    vault.ask("POST", "secret/data/bench", {"data": {"token": TOKEN}})
    environ = {"PATH": os.defpath, "HOME": str(directory), "API_TOKEN": TOKEN}
    with_vault = environ | {"VAULT_ADDR": vault.address, "VAULT_TOKEN": vault.root_token}
    one = write_project(directory / "one", address, "env://API_TOKEN", 1)
    one_vault = write_project(directory / "vault", address, "vault://secret/bench#token", 1)
    chain = write_project(directory / "chain", address, "env://API_TOKEN", CHAIN)
    script = str(Path(__file__).with_name("plain_httpx.py"))

    def case(
        name: str, *command: str, at: Path = one, environ: Mapping[str, str] = environ, expected: str = ""
    ) -> Case:
        return Case(name=name, command=command, directory=at, environ=environ, expected=expected)

    run = (RUNNER, "run", "-q", "main")
    last = f'"last": {CHAIN}\n}}\n'
    return [
        case(BASELINE, sys.executable, "-c", "pass"),
        case("runner version", RUNNER, "version"),
        case("runner --help", RUNNER, "--help"),
        case(
            "runner validate, 1 connection, 1 workflow", RUNNER, "validate", expected="no errors in 2 files\n"
        ),
        case("runner run, 1 request, env://", *run, expected='"last": 1\n}\n'),
        case(
            "runner run, 1 request, OpenBao",
            *run,
            at=one_vault,
            environ=with_vault,
            expected='"last": 1\n}\n',
        ),
        case("httpx script, 1 request", sys.executable, script, address, "1", expected="1\n"),
        case(f"runner run, chain of {CHAIN}", *run, at=chain, expected=last),
        case(
            f"httpx script, chain of {CHAIN}",
            sys.executable,
            script,
            address,
            str(CHAIN),
            expected=f"{CHAIN}\n",
        ),
    ]
