"""`# runner: ignore[rule] reason`: silences what one rule says of one line, and tells when there is nothing to silence."""

import re
from collections.abc import Iterator, Sequence

from runner import registry
from runner.diagnostics import Diagnostic, names_hint, warning
from runner.frozen import dataclass
from runner.project import Project
from runner.source import Position, Span

_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*runner:\s*ignore\[([^\]]*)\][ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class Ignore:
    """One rule named by one comment: it speaks of its own line, or, alone on a line, of the next one."""

    rule: str
    line: int
    span: Span


def applied(project: Project, found: Sequence[Diagnostic]) -> Iterator[Diagnostic]:
    """Give the findings of rules that no comment silences, then a warning for every comment that silences nothing.

    Errors of reading (syntax, unknown keys, typed-in secrets) cannot be silenced: without what they are about there is
    nothing to run. Neither can the policy: it is for whoever owns runner.yaml to relax.
    """
    ignores = {(each.span.path, each.line, each.rule): each for each in _comments(project)}
    used: set[tuple[str, int, str]] = set()
    for item in found:
        key = (item.primary.span.path, item.primary.span.start.line, item.rule)
        if key in ignores and not _for_others(item.rule):
            used.add(key)
        else:
            yield item
    for key, each in ignores.items():
        if key not in used:
            yield _unused(each)


def _comments(project: Project) -> Iterator[Ignore]:
    for path, text in project.texts.items():
        if "runner:" not in text:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            match = _COMMENT.search(line)
            if not match:
                continue
            alone = not line[: match.start()].strip()
            at = match.start(1)
            for rule in match[1].split(","):
                start = at + len(rule) - len(rule.lstrip())
                place = Span(
                    path, Position(number, start + 1), Position(number, start + 1 + len(rule.strip()))
                )
                yield Ignore(rule.strip(), number + 1 if alone else number, place)
                at += len(rule) + 1


def _for_others(rule: str) -> bool:
    return rule.startswith("policy-")


def _unused(each: Ignore) -> Diagnostic:
    if each.rule not in registry.names("rules"):
        remedy = names_hint(each.rule, registry.names("rules"), what="rules")
        message = f"there is no rule '{each.rule}' that a comment can silence"
        return warning("unused-ignore", message, each.span, help=remedy)
    if _for_others(each.rule):
        message = f"'{each.rule}' cannot be silenced: the policy is for whoever owns runner.yaml to relax"
        return warning("unused-ignore", message, each.span, help="remove the comment")
    return warning(
        "unused-ignore",
        f"nothing to ignore: '{each.rule}' finds nothing on this line",
        each.span,
        help="remove the comment",
    )
