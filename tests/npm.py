"""Programs of tests that come from npm: a folder with `package.json` and its lock file, installed below `build/`."""

import fcntl
import shutil
import subprocess
from pathlib import Path

BUILD = Path(__file__).parents[1] / "build"
LOCK = "package-lock.json"


def installed(home: Path) -> Path:
    """Install what the lock file of a folder names, once; gives the folder where it is. Fails where npm cannot."""
    place = BUILD / home.name
    place.mkdir(parents=True, exist_ok=True)
    mark = place / "node_modules" / LOCK
    lock = (home / LOCK).read_text(encoding="utf-8")
    with (place / "installing").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # several processes share the tests
        if mark.exists() and mark.read_text(encoding="utf-8") == lock:
            return place
        assert shutil.which("npm"), f"the tests with {home.name} need Node and npm"
        for name in ("package.json", LOCK):
            shutil.copy(home / name, place / name)
        done = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        mark.write_text(lock, encoding="utf-8")
    return place
