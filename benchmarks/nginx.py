"""nginx on loopback, in a process of its own: keep-alive, one write per answer, the bearer token required.

`GET /item/N` answers `{"next": N+1, ...}`, about 1 KB, for N up to 1,000, and `next` 0 above.
"""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from benchmarks.server import TOKEN

_NUMBERED = 1001
_CONFIG = """\
worker_processes 1;
daemon off;
pid {home}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 2048; }}
http {{
  log_format short "$status $uri";
  access_log {home}/access.log short buffer=64k flush=100ms;
  keepalive_requests 10000000;
  tcp_nodelay on;
  map_hash_max_size 16384;
  client_body_temp_path {home}/b; proxy_temp_path {home}/p; fastcgi_temp_path {home}/f;
  uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  map $uri $next {{ default 0; {numbers} }}
  server {{
    listen 127.0.0.1:{port};
    location /item/ {{
      default_type application/json;
      if ($http_authorization != "Bearer {token}") {{ return 401 '{{"error": "wrong token"}}'; }}
      return 200 '{{"next": $next, "padding": "{padding}"}}';
    }}
  }}
}}
"""


class Log:
    """What the server answered since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0

    def clear(self) -> None:
        """Forget what came so far."""
        time.sleep(0.15)  # it is written every 100 ms
        self._seen = self._path.stat().st_size

    def answered(self) -> int:
        """Count the different items that were answered with 200."""
        time.sleep(0.3)
        with self._path.open("rb") as file:
            file.seek(self._seen)
            return len({line for line in file.read().splitlines() if line.startswith(b"200 /item/")})


@contextmanager
def serving(home: Path) -> "Iterator[tuple[str, Log]]":
    """Run it; gives its address and its log."""
    program = which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        raise RuntimeError("nginx is missing (Debian, Ubuntu: apt install nginx-light)")
    home.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    numbers = " ".join(f"/item/{number} {number + 1};" for number in range(_NUMBERED))
    config = home / "nginx.conf"
    config.write_text(
        _CONFIG.format(home=home, port=port, numbers=numbers, token=TOKEN, padding="x" * 900),
        encoding="utf-8",
    )
    process = subprocess.Popen((program, "-p", str(home), "-c", str(config), "-e", "stderr"))
    try:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise
                time.sleep(0.01)
        yield f"http://127.0.0.1:{port}", Log(home / "access.log")
    finally:
        process.terminate()
        process.wait(10)
