"""The values of `auth` in a run: those typed in, what none of them may be, and what is said of one that cannot be used."""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from runner.auth import FieldError, revealed
from runner.errors import Failure, FailureError, FailureKind
from runner.model import Connection
from runner.sensitive import Secret


def typed_in(connection: Connection) -> dict[str, Secret | str]:
    """Give the fields of `auth` that are text in the file."""
    names = [field.name for field in dataclasses.fields(connection.auth)]
    values = {name: getattr(connection.auth, name) for name in names}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def check_fields(
    connection: Connection, multiline: frozenset[str], fields: Mapping[str, Secret | str]
) -> None:
    """Refuse secrets that are empty, or have line breaks, which no header can carry."""
    for name in connection.auth_secrets.keys() & fields.keys():
        text = revealed(fields[name])
        if not text.strip():
            raise FieldError(name, "is empty", help="store the value there; what is not needed, leave out")
        if name not in multiline and any(char in text for char in "\r\n\0"):
            raise FieldError(
                name, "holds a line break", help="store it in Vault without the line break at its end"
            )


@contextmanager
def fields_of(connection: Connection) -> Iterator[None]:
    """Say of a field that cannot be used whose it is, and where it stands; of any other failure, where `auth` does."""
    try:
        yield
    except FieldError as problem:
        raise _unusable(connection, problem) from None
    except FailureError as problem:
        if problem.failure.span is not None:
            raise
        place = connection.locate(("auth",))
        raise FailureError(dataclasses.replace(problem.failure, span=place)) from None


def _unusable(connection: Connection, problem: FieldError) -> FailureError:
    ref = connection.auth_secrets.get(problem.name)
    what = "secret for" if ref else "value of"
    return FailureError(
        Failure(
            kind=FailureKind.SECRET_UNAVAILABLE,
            message=f"the {what} {connection.said(f'auth.{problem.name}')} of the connection '{connection.name}' {problem.message}",
            help=problem.help,
            span=ref.span if ref else connection.locate(("auth",)),
        )
    )
