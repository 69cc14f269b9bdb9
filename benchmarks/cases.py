"""The command lines of `python -m benchmarks`."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measure import RUNNER, Case
from benchmarks.projects import chain, write
from benchmarks.server import TOKEN
from tests.servers.openbao import OpenBao

CHAIN = 100
BASELINE = "python -c pass"


def cases(directory: Path, address: str, vault: OpenBao) -> list[Case]:
    """Set everything up and list what is measured, the baseline first."""
    vault.ask("POST", "secret/data/bench", {"data": {"token": TOKEN}})
    environ = {"PATH": os.defpath, "HOME": str(directory), "API_TOKEN": TOKEN}
    with_vault = environ | {"VAULT_ADDR": vault.address, "VAULT_TOKEN": vault.root_token}
    one = write(directory / "one", address, chain(1))
    one_vault = write(directory / "vault", address, chain(1), reference="vault://secret/bench#token")
    long = write(directory / "chain", address, chain(CHAIN))
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
        case(f"runner run, chain of {CHAIN}", *run, at=long, expected=last),
        case(
            f"httpx script, chain of {CHAIN}",
            sys.executable,
            script,
            address,
            str(CHAIN),
            expected=f"{CHAIN}\n",
        ),
    ]
