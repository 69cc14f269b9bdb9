"""Ways around the streams, closed: what libraries log, what Python warns of, threads that die."""

import logging
import threading

from runner.cli.output import Output
from runner.reports.text.style import one_line

# At INFO and below these write URLs and headers.
_TALKATIVE = ("httpx", "httpcore", "urllib3", "requests", "hvac", "asyncio")


class _Handler(logging.Handler):
    """Passes records on to stderr, cleaned; tracebacks only to those who asked for everything."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = f"{record.levelname.lower()}: {record.name}: {one_line(record.getMessage())}"
            if record.exc_info and self._output.verbose >= 2:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
        except (
            Exception
        ):  # a log line is no reason to fail, and logging's own report would print its arguments
            text = f"warning: a log line of {record.name} cannot be formatted"
        self._output.say(text)


def install(output: Output) -> None:
    """Send everything that is logged through the cleaning of the streams."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _Handler):
            root.removeHandler(handler)
    root.addHandler(_Handler(output))
    root.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(output.verbose, 2)])
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)

    def died(problem: threading.ExceptHookArgs) -> None:
        output.error(f"error: a bug in runner.d: {problem.exc_type.__name__} in a thread")

    threading.excepthook = died
