"""What ended a command, in words for people: the errors that we know, and a short form for those that are bugs."""

import traceback
from types import TracebackType

from runner.cli.output import Output
from runner.cli.person import DeclinedError
from runner.diagnostics import ProjectError
from runner.errors import Exit, FailureError, RunnerError, SecretProblem, SecretsError
from runner.reports import Findings
from runner.reports.text import shortly
from runner.reports.text.outcome import failure
from runner.reports.text.style import Style, one_line


def explain(problem: Exception, output: Output) -> int:
    """Say what went wrong and give the exit code for it."""
    style = Style(color=output.error_color)
    if isinstance(problem, ProjectError):
        findings = Findings(diagnostics=problem.diagnostics)
        if findings.diagnostics:  # where there are none, they were shown with their source lines
            output.error(shortly(findings, color=output.error_color).rstrip())
    elif isinstance(problem, SecretsError):
        output.error("\n".join(_secrets(problem, style)))
    elif isinstance(problem, DeclinedError):
        output.error(problem.message)
    elif isinstance(problem, RunnerError):
        output.error("\n".join(_lines("error", problem.message, problem.help, style)))
    elif isinstance(problem, FailureError):
        output.error("\n".join(failure(problem.failure, style)))
        return int(Exit.FAILED)
    else:
        output.error("\n".join(_bug(problem, output, style)))
        return int(Exit.BUG)
    return int(problem.exit_code)


def _lines(label: str, message: str, remedy: str | None, style: Style, *, indent: str = "") -> list[str]:
    lines = [f"{indent}{style.paint(label, 'bad')}: {one_line(message)}"]
    if remedy:
        lines.append(f"{indent}  = {style.paint('help', 'help')}: {one_line(remedy)}")
    return lines


def _secrets(problem: SecretsError, style: Style) -> list[str]:
    if not problem.problems:
        return _lines("error", problem.message, problem.help, style)
    if len(problem.problems) == 1:
        return _secret(problem.problems[0], style)
    lines = _lines("error", problem.message, problem.help, style)
    for item in problem.problems:
        lines += _secret(item, style, indent="  ")
    return lines


def _secret(item: SecretProblem, style: Style, *, indent: str = "") -> list[str]:
    told = _lines("error", f"{item.reference}: {item.message}", item.help, style, indent=indent)
    places = [
        f"{indent}  {style.paint('-->', 'gutter')} {one_line(str(span))}"
        for span in dict.fromkeys(item.spans)
    ]
    return [told[0], *places, *told[1:]]


def _bug(problem: Exception, output: Output, style: Style) -> list[str]:
    place = _own_place(problem.__traceback__)
    lines = _lines(
        "error",
        f"a bug in runner.d: {type(problem).__name__}{f' at {place}' if place else ''}",
        "please report this line, the command and the output of `runner version`; -vv adds the traceback",
        style,
    )
    if output.verbose >= 2:
        lines.append("".join(traceback.format_exception(problem)).rstrip())
    return lines


def _own_place(trace: TracebackType | None) -> str | None:
    """Find the innermost place in our own code."""
    place = None
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename.replace("\\", "/")
        _, found, below = path.rpartition("/runner/")
        if found:
            place = f"runner/{below}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
