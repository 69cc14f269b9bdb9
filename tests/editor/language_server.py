"""A client of the YAML language server: installs it with npm, starts it, and asks what an editor asks."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.npm import installed

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SETTINGS: dict[str, Any] = {
    "yaml": {
        "validate": True,
        "hover": True,
        "completion": True,
        "schemaStore": {"enable": False, "url": ""},
        "schemas": {},
    }
}


class LanguageServer:
    """Speaks the Language Server Protocol with one server; a document is a text with a mark `▮` where the cursor is."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._stdin, self._stdout = stdin, stdout
        self._number = 0
        self._versions: dict[str, int] = {}
        self._published: dict[tuple[str, int], list[dict[str, Any]]] = {}

    def start(self, root: Path) -> None:
        """Shake hands as an editor does."""
        capabilities = {
            "workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}},
            "textDocument": {
                "completion": {
                    "completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}
                },
                "hover": {"contentFormat": ["markdown"]},
                "publishDiagnostics": {"versionSupport": True},
            },
        }
        folder = {"uri": root.as_uri(), "name": root.name}
        self.ask(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": folder["uri"],
                "workspaceFolders": [folder],
                "capabilities": capabilities,
            },
        )
        self.tell("initialized", {})
        self.tell("workspace/didChangeConfiguration", {"settings": SETTINGS})

    def labels(self, path: Path, text: str) -> dict[str, dict[str, Any]]:
        """Ask what can be written at the cursor; gives the items by their labels."""
        where = self._open(path, text)
        answer = self.ask("textDocument/completion", where)
        items = answer["items"] if isinstance(answer, dict) else answer
        return {item["label"]: item for item in items}

    def hover(self, path: Path, text: str) -> str:
        """Ask for the help that is shown at the cursor."""
        answer = self.ask("textDocument/hover", self._open(path, text))
        contents = answer["contents"] if answer else ""
        return contents["value"] if isinstance(contents, dict) else str(contents)

    def problems(self, path: Path, text: str) -> list[tuple[int, str]]:
        """Wait for what the server underlines; gives line (from 1) and message."""
        uri = self._open(path, text)["textDocument"]["uri"]
        # The server checks in its own time, but answers in order: a question makes no wait shorter than it must be.
        while (uri, self._versions[uri]) not in self._published:
            self._read()
        found = self._published[uri, self._versions[uri]]
        return sorted((item["range"]["start"]["line"] + 1, item["message"]) for item in found)

    def ask(self, method: str, params: Any) -> Any:
        """Send a request and give its result."""
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == self._number and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]

    def tell(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def _open(self, path: Path, text: str) -> dict[str, Any]:
        before, _, after = text.partition("▮")
        uri = path.as_uri()
        version = self._versions[uri] = self._versions.get(uri, 0) + 1
        if version == 1:
            document = {"uri": uri, "languageId": "yaml", "version": version, "text": before + after}
            self.tell("textDocument/didOpen", {"textDocument": document})
        else:
            changed = {
                "textDocument": {"uri": uri, "version": version},
                "contentChanges": [{"text": before + after}],
            }
            self.tell("textDocument/didChange", changed)
        lines = before.split("\n")
        return {
            "textDocument": {"uri": uri},
            "position": {"line": len(lines) - 1, "character": len(lines[-1])},
        }

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._stdin.flush()

    def _read(self) -> dict[str, Any]:
        """Read one message; answers what the server asks and keeps what it publishes."""
        length = 0
        while line := self._stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the language server has ended"
        message: dict[str, Any] = json.loads(self._stdout.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            params = message["params"]
            version = params.get("version", self._versions.get(params["uri"], 0))
            self._published[params["uri"], version] = params["diagnostics"]
        elif "method" in message and "id" in message:
            self._send({"id": message["id"], "result": self._answer(message)})
        return message

    def _answer(self, message: dict[str, Any]) -> Any:
        if message["method"] == "workspace/configuration":
            return [SETTINGS.get(item.get("section", "")) for item in message["params"]["items"]]
        return None


@contextmanager
def running(root: Path) -> Iterator[LanguageServer]:
    """Start the server for a folder, and end it."""
    program = installed(HERE) / "node_modules/yaml-language-server/bin/yaml-language-server"
    with subprocess.Popen(
        ["node", program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            server = LanguageServer(process.stdin, process.stdout)
            server.start(root)
            yield server
        finally:
            process.kill()
