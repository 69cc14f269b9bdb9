"""The small ticket API of the tutorial: `python3 docs/tutorial_api.py` answers on 127.0.0.1:8080 until Ctrl-C.

It needs nothing but Python. Every request must carry `Authorization: Bearer tutorial-token`.
"""  # noqa: INP001 - a script, no module

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "tutorial-token"  # noqa: S105 - everybody may know it
TICKETS = [
    {"id": 17, "subject": "Invoice shows the wrong address", "status": "open", "idle_days": 40},
    {"id": 23, "subject": "Export stops at 10,000 rows", "status": "open", "idle_days": 15},
    {"id": 31, "subject": "How do I change my plan?", "status": "open", "idle_days": 3},
    {"id": 8, "subject": "Typo on the start page", "status": "solved", "idle_days": 90},
]


class Handler(BaseHTTPRequestHandler):
    """Answers `GET /api/me`, `GET /api/tickets?status=&idle_days=` and `POST /api/tickets/ID/comments`."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one piece: sent apart, the second waits 40 ms for an acknowledgement
    comments = 0

    def do_GET(self) -> None:
        """Give who asks, or tickets."""
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if not self._authorized():
            return
        if url.path == "/api/me":
            self._answer(200, {"name": "robot"})
        elif url.path == "/api/tickets":
            status, days = asked.get("status"), int(asked.get("idle_days", 0))
            fitting = [
                t for t in TICKETS if status in (None, t["status"]) and int(str(t["idle_days"])) >= days
            ]
            self._answer(200, {"tickets": fitting})
        else:
            self._answer(404, {"error": "no such page"})

    def do_POST(self) -> None:
        """Take a comment."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._authorized():
            return
        parts = urlsplit(self.path).path.split("/")
        if parts[:3] == ["", "api", "tickets"] and parts[4:] == ["comments"]:
            Handler.comments += 1
            self._answer(201, {"comment": Handler.comments, "ticket": int(parts[3])})
        else:
            self._answer(404, {"error": "no such page"})

    def _authorized(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {TOKEN}":
            return True
        self._answer(401, {"error": "invalid token"})
        return False

    def _answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve on the port that is given, else on 8080."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        sys.stdout.write(f"the tutorial's API answers on http://127.0.0.1:{server.server_port}/api\n")
        sys.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.stdout.write("stopped\n")


if __name__ == "__main__":
    main()
