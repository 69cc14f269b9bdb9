"""What a run would lend to an auth type, for tests: a clock that stands, a server that is a function."""

from collections.abc import Callable
from dataclasses import dataclass, field

from runner.auth import Message, Reply
from runner.template import Template


def _nobody(message: Message) -> Reply:
    raise AssertionError(f"nothing should be sent, and {message.url} was")


@dataclass
class Lent:
    """Means that remember what they were told."""

    answer: Callable[[Message], Reply] = _nobody
    time: float = 1_700_000_000.0
    registered: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)
    connection: str = "api"
    timeout: float = 15.0

    def register(self, value: str, label: str) -> None:
        self.registered[value] = label

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def now(self) -> float:
        return self.time

    def jitter(self) -> float:
        return 0.5

    def base_url(self) -> str:
        return "https://api.test"

    def text(self, template: Template) -> str:
        return str(template.render({"vars": {}, "environment": None}))

    async def send(self, message: Message) -> Reply:
        self.sent.append(message)
        return self.answer(message)
