"""`env://NAME` from a mapping and from the process."""

import asyncio

import pytest

from runner import secret_ref
from runner.errors import Exit, SecretsError
from runner.secret_ref import ResolvedRef
from runner.secrets.env import EnvSource
from runner.source import whole_file


def ref(name: str) -> ResolvedRef:
    return secret_ref.parse(f"env://{name}", whole_file("test.yaml")).resolve(
        user=None, environment=None, variables={}
    )


def test_reads_variables_as_they_are_and_registers_them() -> None:
    registered: dict[str, str] = {}
    source = EnvSource({"A": " value with spaces\n", "B": "other value"}, register=registered.__setitem__)

    found = asyncio.run(source.read([ref("A"), ref("B"), ref("A")]))

    assert {key.path: secret.reveal() for key, secret in found.items()} == {
        "A": " value with spaces\n",
        "B": "other value",
    }
    assert registered == {" value with spaces\n": "env A", "other value": "env B"}


def test_all_missing_ones_are_reported_at_once() -> None:
    source = EnvSource({"EMPTY": "", "THERE": "x"})

    with pytest.raises(SecretsError) as caught:
        asyncio.run(source.read([ref("NONE"), ref("THERE"), ref("EMPTY")]))

    assert caught.value.exit_code is Exit.UNAVAILABLE
    assert [(problem.reference, problem.message) for problem in caught.value.problems] == [
        ("env NONE", "the environment variable is not set"),
        ("env EMPTY", "the environment variable is empty"),
    ]


def test_without_a_mapping_the_process_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_TEST_SECRET", "of the process")

    found = asyncio.run(EnvSource().read([ref("RUNNER_TEST_SECRET")]))

    assert found[ref("RUNNER_TEST_SECRET")].reveal() == "of the process"


def test_reread_tells_only_of_a_change() -> None:
    environ = {"A": "old value"}
    source = EnvSource(environ)

    async def run() -> None:
        await source.read([ref("A")])
        assert await source.reread(ref("A")) is None
        environ["A"] = "new value"
        again = await source.reread(ref("A"))
        assert again is not None
        assert again.reveal() == "new value"
        assert await source.reread(ref("A")) is None
        await source.close()

    asyncio.run(run())
