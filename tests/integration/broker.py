"""What Vault's RabbitMQ engine talks to: an engine with real leases that needs no database server."""

import time
from types import TracebackType
from typing import Any, Self

from tests.integration.vault_workspace import Workspace
from tests.servers.http import Request, Response, Server, reply


class Broker:
    """The management API of a RabbitMQ, as far as Vault uses it. `users` are those that exist now."""

    def __init__(self, vault: Workspace, *, ttl: int, longest: int = 0) -> None:
        self.users: dict[str, str] = {}
        self._vault = vault
        self._lease = {"ttl": ttl, "max_ttl": longest}
        self._server = Server(
            {
                "PUT /api/users/*": self._create,
                "DELETE /api/users/*": self._delete,
                "PUT /api/permissions/*/*": lambda _: Response(204),
            }
        )

    def lease(self) -> str:
        """Give the id of the only lease."""
        (key,) = self._vault.ask("LIST", "sys/leases/lookup/rabbitmq/creds/role")["data"]["keys"]
        return f"rabbitmq/creds/role/{key}"

    def __enter__(self) -> Self:
        self._server.start()
        connection = {
            "connection_uri": self._server.url,
            "username": "admin",
            "password": "pw",
            "verify_connection": False,
        }
        self._vault.ask("POST", "rabbitmq/config/connection", connection)
        self._vault.ask("POST", "rabbitmq/config/lease", self._lease)
        self._vault.ask("POST", "rabbitmq/roles/role", {"vhosts": '{"/": {"read": ".*"}}'})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Vault revokes through the server: it must be gone only when nothing is leased any more.
        self._vault.ask("PUT", "sys/leases/revoke-prefix/rabbitmq/creds", {"sync": True})
        deadline = time.monotonic() + 10
        while self.users and time.monotonic() < deadline:
            time.sleep(0.02)
        self._server.stop()

    def _create(self, request: Request) -> Response:
        body: Any = request.json()
        self.users[request.arguments[0]] = body["password"]
        return Response(201)

    def _delete(self, request: Request) -> Response:
        gone = self.users.pop(request.arguments[0], None)
        return Response(204) if gone else reply({"error": "not found"}, 404)
