"""A ticket system and a pager as products of their kind answer, for the demo, the tutorial and the tests.

The ticket system wants a bearer token, lets the first search wait (429 with Retry-After), gives its results in
pages, and reports some errors with status 200. The pager wants its key behind `Token token=` and answers 409 when a
ticket already has an incident.

    TICKETS_TOKEN=... PAGER_KEY=... python -m tests.servers.tickets --port-file ports.json
"""

import argparse
import base64
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.http import Answer, Handler, Request, Server, reply

PAGE = 2
ORDER = ("new", "open", "pending", "hold", "solved", "closed")
Ticket = dict[str, Any]


def some_tickets() -> list[Ticket]:
    """Give the tickets of the demo, idle longest first."""
    rows: list[tuple[int, str, str, int]] = [
        (1412, "Invoice shows the wrong address", "pending", 40),
        (1398, "Export stops at 10,000 rows", "open", 31),
        (1420, "Cannot log in since the move to SSO", "open", 22),
        (1433, "Webhook arrives twice", "new", 15),
        (1440, "How do I change my plan?", "open", 3),
        (1391, "Typo on the start page", "solved", 90),
    ]
    return [
        {"id": number, "subject": subject, "status": status, "idle_days": idle, "priority": "normal"}
        for number, subject, status, idle in rows
    ]


class Tickets:
    """The ticket system's state and its routes."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._lock = threading.Lock()
        self._tickets = {ticket["id"]: ticket for ticket in some_tickets()}
        self._searched = False
        self.audit: list[Any] = []

    def routes(self) -> dict[str, Handler]:
        table: dict[str, Handler] = {
            "GET /api/v2/me": self._me,
            "GET /api/v2/search": self._search,
            "GET /api/v2/tickets/*": self._show,
            "PUT /api/v2/tickets/*": self._update,
            "POST /api/v2/tickets/*/watchers": self._watch,
            "POST /api/v2/audit": self._note,
        }
        return {route: self._authorized(handler) for route, handler in table.items()}

    def ticket(self, number: int) -> Ticket:
        """Give a ticket as it is now."""
        with self._lock:
            return dict(self._tickets[number])

    def _authorized(self, handler: Handler) -> Handler:
        def check(request: Request) -> Answer:
            if request.header("Authorization") != f"Bearer {self._token}":
                return reply({"error": "invalid or missing token"}, 401, {"WWW-Authenticate": "Bearer"})
            with self._lock:
                return handler(request)

        return check

    def _me(self, _: Request) -> Answer:
        return reply({"id": 7, "name": "Escalation bot", "role": "agent"})

    def _search(self, request: Request) -> Answer:
        if not self._searched:
            self._searched = True
            return reply({"error": "rate limit exceeded"}, 429, {"Retry-After": "1"})
        found = [
            ticket for ticket in self._tickets.values() if _matches(ticket, request.parameter("q") or "")
        ]
        start = _position(request.parameter("after"))
        if start is None:
            return reply({"error": "unknown cursor"}, 422)
        end = start + PAGE
        following = _cursor(end) if end < len(found) else None
        return reply({"results": found[start:end], "count": len(found), "next": following})

    def _show(self, request: Request) -> Answer:
        ticket = self._find(request)
        return reply(ticket) if ticket else reply({"error": "no such ticket"}, 404)

    def _update(self, request: Request) -> Answer:
        ticket = self._find(request)
        if ticket is None:
            return reply({"error": "no such ticket"}, 404)
        ticket.update({key: value for key, value in request.json().items() if key in ("status", "priority")})
        return reply(ticket)

    def _watch(self, _: Request) -> Answer:
        # The 200 that is an error: some products report every failure this way.
        return reply({"ok": False, "error": "watcher_limit_reached"})

    def _note(self, request: Request) -> Answer:
        self.audit.append(request.json())
        return reply({"ok": True}, 201)

    def _find(self, request: Request) -> Ticket | None:
        number = request.arguments[0]
        return self._tickets.get(int(number)) if number.isdecimal() else None


class Pager:
    """The pager's state and its routes."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._lock = threading.Lock()
        self.incidents: dict[Any, dict[str, Any]] = {}

    def routes(self) -> dict[str, Handler]:
        table: dict[str, Handler] = {"GET /whoami": self._whoami, "POST /incidents": self._open}
        return {route: self._authorized(handler) for route, handler in table.items()}

    def _authorized(self, handler: Handler) -> Handler:
        def check(request: Request) -> Answer:
            if request.header("Authorization") != f"Token token={self._key}":
                return reply({"error": {"code": 2006, "message": "invalid key"}}, 401)
            with self._lock:
                return handler(request)

        return check

    def _whoami(self, _: Request) -> Answer:
        return reply({"account": "support-escalation"})

    def _open(self, request: Request) -> Answer:
        wanted = request.json()
        known = self.incidents.get(wanted["ticket"])
        if known:
            return reply({"error": "the ticket has an incident already", "incident": known}, 409)
        incident = {"id": f"P{len(self.incidents) + 1:03}", **wanted}
        self.incidents[wanted["ticket"]] = incident
        return reply({"incident": incident}, 201)


class SupportDesk:
    """Both servers, started and stopped together."""

    def __init__(self, token: str, key: str) -> None:
        self.tickets = Tickets(token)
        self.pager = Pager(key)
        self.tickets_server = Server(self.tickets.routes())
        self.pager_server = Server(self.pager.routes())
        self._stack = ExitStack()

    @property
    def addresses(self) -> dict[str, str]:
        """Where the two listen, by name."""
        return {"tickets": self.tickets_server.url, "pager": self.pager_server.url}

    def __enter__(self) -> Self:
        self._stack.enter_context(self.tickets_server)
        self._stack.enter_context(self.pager_server)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, value, trace)


def _matches(ticket: Ticket, query: str) -> bool:
    """Apply `status<solved updated<14days`; other words search the subject."""
    for term in query.split():
        if status := re.fullmatch(r"status<(\w+)", term):
            if ORDER.index(ticket["status"]) >= ORDER.index(status[1]):
                return False
        elif idle := re.fullmatch(r"updated<(\d+)days", term):
            if ticket["idle_days"] < int(idle[1]):
                return False
        elif term.lower() not in ticket["subject"].lower():
            return False
    return True


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"after:{position}".encode()).decode()


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(cursor).decode().removeprefix("after:"))
    except ValueError:
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.servers.tickets", description="A support desk to try runner.d on."
    )
    parser.add_argument(
        "--port-file", type=Path, help="write the two addresses there, as JSON, once both listen"
    )
    parser.add_argument("--token", default=os.environ.get("TICKETS_TOKEN"), help="default: $TICKETS_TOKEN")
    parser.add_argument("--key", default=os.environ.get("PAGER_KEY"), help="default: $PAGER_KEY")
    options = parser.parse_args(arguments)
    if not options.token or not options.key:
        parser.error("set TICKETS_TOKEN and PAGER_KEY, or give --token and --key")
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with SupportDesk(options.token, options.key) as desk:
        for name, address in desk.addresses.items():
            print(f"{name}: {address}", flush=True)
        if options.port_file:
            # Renamed into place, so that a reader never sees half of it.
            partial = options.port_file.with_suffix(".partial")
            partial.write_text(json.dumps(desk.addresses))
            partial.replace(options.port_file)
        stopping.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
