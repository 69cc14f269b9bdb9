"""`wait`: a duration, or until a time."""

from collections.abc import Callable
from typing import Any

from runner.bind import ACTION_ROOTS, Binder
from runner.document import Pointer
from runner.duration import seconds
from runner.errors import Failure, FailureError, FailureKind
from runner.filters import FilterError, to_datetime
from runner.frozen import dataclass
from runner.language import closed, text
from runner.model import Action
from runner.perform import Performance
from runner.plan import View
from runner.template import Mode, Template

SUMMARY = "a duration, or until a time"
SCHEMA: dict[str, Any] = {
    "description": "How long: a duration such as 30s, or `until` a time.",
    "if": {"type": "object"},
    "then": closed(
        {
            "until": text(
                "A time: ISO 8601 text or a template that gives one.", examples=["2026-01-31T07:00:00Z"]
            )
        },
        required=("until",),
    ),
    "else": {"type": "string", "minLength": 1, "x-message": "a duration such as 30s, or {until: TIME}"},
    "examples": ["30s"],
}
_A_TIME = "give ISO 8601, such as 2026-01-31T07:00:00Z"
MODIFIERS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Config:
    """Either a duration or a time."""

    duration: Template | None
    until: Template | None


def bind(value: str | dict[str, str], pointer: Pointer, binder: Binder) -> Config:
    """Bind the duration or the time; a duration without a template is checked here."""
    if isinstance(value, dict):
        place = (*pointer, "until")
        until = binder.template(value["until"], place, ACTION_ROOTS)
        if until.constant:
            _check(to_datetime, value["until"], place, binder, "`until` gives no time", _A_TIME)
        return Config(None, until)
    made = binder.template(value, pointer, ACTION_ROOTS, mode=Mode.TEXT)
    if made.constant:
        _check(seconds, value, pointer, binder)
    return Config(made, None)


def _check(
    read: Callable[[str], object],
    value: str,
    pointer: Pointer,
    binder: Binder,
    message: str | None = None,
    remedy: str | None = None,
) -> None:
    """Report a text that cannot be read as what it is to be."""
    try:
        read(value)
    except ValueError as problem:
        from runner.diagnostics import error

        binder.diagnostics.append(
            error("invalid-value", message or str(problem), binder.span(pointer), help=remedy)
        )


def describe(action: Action, view: View) -> dict[str, Any]:
    """Show how long."""
    config: Config = action.config
    return {"wait": view.show(config.duration) if config.duration else f"until {view.show(config.until)}"}


async def perform(action: Action, performance: Performance) -> Any:
    """Give the seconds to wait; the interpreter does the waiting, so that a resumed run need not start anew."""
    config: Config = action.config
    if config.duration is not None:
        try:
            return {"seconds": seconds(str(performance.render(config.duration).wire))}
        except ValueError:
            raise FailureError(
                Failure(
                    kind=FailureKind.RENDER,
                    message="`wait` gives no duration",
                    help="give a number and ms, s, m, h, d or w, such as 30s",
                    span=config.duration.span,
                )
            ) from None
    assert config.until is not None
    try:
        moment = to_datetime(performance.render(config.until).wire)
    except FilterError:
        raise FailureError(
            Failure(
                kind=FailureKind.RENDER,
                message="`until` gives no time",
                help=_A_TIME,
                span=config.until.span,
            )
        ) from None
    return {"seconds": max(0.0, moment.timestamp() - performance.now())}
