"""What a run would lend to an auth type, for tests: a clock that stands, a server that is a function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.auth import Message, Reply
from runner.perform import Headers
from runner.template import Template, Tree, render


def _nobody(message: Message) -> Reply:
    raise AssertionError(f"nothing should be sent, and {message.url} was")


@dataclass
class Path:
    """A path of Vault in memory. `before_write` may change it, or fail, before each write."""

    fields: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    label: str = "secret/oauth"
    writes: list[dict[str, Any]] = field(default_factory=list)
    before_write: Callable[["Path"], None] = lambda _: None

    async def read(self) -> tuple[dict[str, Any], int]:
        return dict(self.fields), self.version

    async def write(self, fields: Mapping[str, Any], version: int) -> int | None:
        self.before_write(self)
        if version != self.version:
            return None
        self.fields, self.version = dict(fields), version + 1
        self.writes.append(self.fields)
        return self.version


@dataclass
class Lent:
    """Means that remember what they were told."""

    answer: Callable[[Message], Reply] = _nobody
    time: float = 1_700_000_000.0
    registered: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    connection: str = "api"
    timeout: float = 15.0
    path: Path = field(default_factory=Path)

    def register(self, value: str, label: str) -> None:
        self.registered[value] = label

    def register_passing(self, value: str) -> None:
        self.registered[value] = "passing"

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def now(self) -> float:
        return self.time

    def jitter(self) -> float:
        return 0.5

    def base_url(self) -> str:
        return "https://api.test"

    def text(self, template: Template, **more: Any) -> str:
        return str(self.value(template, **more))

    def value(self, tree: Tree, **more: Any) -> Any:
        for name, given in more.items():
            if "headers" in given:
                more[name] = {**given, "headers": Headers(given["headers"])}
        return render(tree, {"vars": self.variables, "environment": None, **more})

    async def send(self, message: Message) -> Reply:
        self.sent.append(message)
        return self.answer(message)

    def store(self, field: str) -> Path:
        assert field == "refresh_token"
        return self.path
