"""What can go wrong: errors that end a command, and failures that are data inside a run."""

from dataclasses import field
from enum import IntEnum, StrEnum
from typing import Any, Self

from runner.frozen import dataclass
from runner.source import Position, Span

JsonObject = dict[str, Any]


class Exit(IntEnum):
    """The exit codes of the command line."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PROJECT = 3
    UNAVAILABLE = 4
    TIMEOUT = 5
    LOCKED = 6
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143


class RunnerError(Exception):
    """An error that ends the command with one message, a remedy and an exit code of its own."""

    exit_code = Exit.FAILED

    def __init__(self, message: str, *, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class UsageError(RunnerError):
    """The command line is wrong: an unknown workflow, a missing input, two options that exclude each other."""

    exit_code = Exit.USAGE


class FailureKind(StrEnum):
    """What kind of failure ended an attempt, an action or a run."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TLS = "tls"
    PROTOCOL = "protocol"
    REDIRECT = "redirect"
    UNEXPECTED_STATUS = "unexpected-status"
    EXPECTATION = "expectation"
    RENDER = "render"
    RATE_LIMITED = "rate-limited"
    LIMIT = "limit"
    FILE = "file"
    NOT_ALLOWED = "not-allowed"
    SECRET_IN_OUTPUT = "secret-in-output"  # noqa: S105 - a kind of failure, no password
    SECRET_UNAVAILABLE = "secret-unavailable"  # noqa: S105 - likewise
    LOCKED = "locked"
    HISTORY = "history-unavailable"
    UNAUTHORIZED = "unauthorized"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why something failed, as plain data that is safe to show.

    `message` holds no secret: it is built from rendered placeholders and cleaned. `retryable` says
    that the same request may be sent again without harm by the rules of retry.
    """

    kind: FailureKind
    message: str
    help: str | None = None
    span: Span | None = None
    retryable: bool = False

    def to_json(self) -> JsonObject:
        """Give the failure as JSON, the form in which it crosses the seam and stands in reports."""
        data: JsonObject = {"kind": self.kind.value, "message": self.message}
        if self.help:
            data["help"] = self.help
        if self.span:
            data["file"] = self.span.path
            data["line"] = self.span.start.line
            data["column"] = self.span.start.column
        return data

    @classmethod
    def from_json(cls, data: JsonObject) -> Self:
        """Read what `to_json` wrote."""
        span = None
        if "file" in data:
            start = Position(data["line"], data["column"])
            span = Span(data["file"], start, start)
        return cls(kind=FailureKind(data["kind"]), message=data["message"], help=data.get("help"), span=span)


class FailureError(Exception):
    """Carries a `Failure` from where it happens to where it is recorded."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretProblem:
    """Why one secret reference gave no value: reference as written, what the server said, what to do."""

    reference: str
    message: str
    help: str | None = None
    spans: tuple[Span, ...] = field(default=())
    absent: bool = False
    """Nothing is stored there: what is written there helps."""


class SecretsError(RunnerError):
    """Secrets are unavailable; carries every problem, not only the first."""

    exit_code = Exit.UNAVAILABLE

    def __init__(
        self, message: str, *, help: str | None = None, problems: tuple[SecretProblem, ...] = ()
    ) -> None:
        super().__init__(message, help=help)
        self.problems = problems
