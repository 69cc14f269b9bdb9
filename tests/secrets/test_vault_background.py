"""What must hold for the process as a whole: nothing heavy is imported early, and threads hold up nobody."""

import asyncio
import subprocess
import sys
import threading

import pytest

from runner.secrets.vault.background import in_thread


def python(code: str) -> str:
    done = subprocess.run(
        (sys.executable, "-c", code), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_making_a_source_imports_neither_hvac_nor_requests() -> None:
    loaded = python(
        "import sys\n"
        "from runner.secrets.vault import CONFIG_SCHEMA, VaultSource\n"
        "VaultSource({'auth': {'method': 'jwt', 'role': 'r'}}, {}, warn=print)\n"
        "print(sorted({'hvac', 'requests', 'urllib3', 'httpx'} & set(sys.modules)))"
    )

    assert loaded.strip() == "[]"


def test_a_call_that_hangs_does_not_hold_up_the_end_of_the_process() -> None:
    ended = python(
        "import asyncio, time\n"
        "from runner.secrets.vault.background import in_thread\n"
        "async def main():\n"
        "    try:\n"
        "        await asyncio.wait_for(in_thread(lambda: time.sleep(3600)), 0.05)\n"
        "    except TimeoutError:\n"
        "        print('gave up')\n"
        "asyncio.run(main())"
    )

    assert ended.strip() == "gave up"


def test_a_result_that_nobody_waits_for_any_more_is_dropped() -> None:
    complaints: list[object] = []
    release = threading.Event()

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(in_thread(release.wait), 0.02)
        release.set()
        await in_thread(lambda: None)
        await asyncio.sleep(0)

    asyncio.run(run())

    assert complaints == []


def test_results_and_errors_come_back() -> None:
    def fail() -> None:
        raise LookupError("of the call")

    async def run() -> None:
        assert await in_thread(lambda: threading.current_thread().name) == "vault"
        with pytest.raises(LookupError, match="of the call"):
            await in_thread(fail)

    asyncio.run(run())
