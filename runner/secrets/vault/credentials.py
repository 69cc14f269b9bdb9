"""What a login needs: tokens, passwords and secret ids from the environment or from files, checked, never shown."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runner.secrets.vault.explain import VaultProblemError

BIGGEST_FILE = 1 << 20


class Credentials:
    """Reads the credentials of one run and remembers each value, so that no message can repeat it."""

    def __init__(
        self, environ: Mapping[str, str], directory: Path, register: Callable[[str, str], None] | None = None
    ) -> None:
        self.environ = environ
        self.directory = directory
        self._register = register
        self.known: set[str] = set()
        self.kept: dict[str, str] = {}
        """What can be had only once (an unwrapped secret id) and is needed again for a second login."""

    def learn(self, value: str, label: str) -> str:
        """Remember a value, tell the redactor, give it back."""
        self.known.add(value)
        if self._register:
            self._register(value, label)
        return value

    def home_file(self, name: str) -> Path | None:
        """Give a file in the user's home directory, None where there is no home."""
        home = self.environ.get("HOME") or self.environ.get("USERPROFILE")
        return Path(home) / name if home else None

    def text(self, value: str, where: str) -> str:
        """Give a value that may be typed in or be `env://NAME`."""
        return self._variable(value, where) if value.startswith("env://") else value

    def optional(self, config: Mapping[str, Any], name: str) -> str | None:
        """Give the credential `name` (`env://NAME`) or `name_file` of the login; None where neither is given."""
        where, file_key = f"vault.auth.{name}", f"{name}_file"
        if config.get(name) and config.get(file_key):
            raise _wrong(f"{where} and {where}_file are both given", "keep one of them")
        if config.get(name):
            value = str(config[name])
            if not value.startswith("env://"):
                raise _wrong(f"{where} holds a typed-in value", "write env://NAME, or use " + f"{where}_file")
            return self.learn(self._variable(value, where), where)
        if config.get(file_key):
            return self.learn(self.file(self.directory / str(config[file_key]), f"{where}_file"), where)
        return None

    def required(self, config: Mapping[str, Any], name: str) -> str:
        """Give a credential that the login cannot do without."""
        value = self.optional(config, name)
        if value is None:
            raise _wrong(
                f"vault.auth.{name} is missing",
                f"write {name}: env://NAME, or {name}_file: PATH, in runner.yaml",
            )
        return value

    def file(self, path: Path, where: str) -> str:
        """Read a credential from a file, without the line break at its end."""
        try:
            with path.open("rb") as stream:
                raw = stream.read(BIGGEST_FILE + 1)
        except FileNotFoundError:
            raise _wrong(f"the file {path} of {where} does not exist", "check the path") from None
        except OSError as error:
            raise _wrong(
                f"the file {path} of {where} cannot be read: {error.strerror}",
                "check the path and its rights",
            ) from None
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise _wrong(
                f"the file {path} of {where} is not text", "it must hold the credential alone"
            ) from None
        if len(raw) > BIGGEST_FILE:
            raise _wrong(f"the file {path} of {where} is over 1 MiB", "it must hold the credential alone")
        value = text.rstrip("\r\n")
        if not value.strip():
            raise _wrong(f"the file {path} of {where} is empty", "write the credential into it")
        return value

    def _variable(self, reference: str, where: str) -> str:
        name = reference.removeprefix("env://")
        value = self.environ.get(name)
        if not value:
            state = "is empty" if name in self.environ else "is not set"
            raise _wrong(f"the environment variable {name} of {where} {state}", f"set {name} before the run")
        return value


def header_safe(value: str, where: str) -> str:
    """Strip a token; raises VaultProblemError where the rest cannot be sent in a header. The value is not shown."""
    token = value.strip()
    if not token:
        raise _wrong(f"the token from {where} is empty", "put a token there")
    if not all("!" <= char <= "~" for char in token):
        kind = (
            "a line break"
            if "\n" in token or "\r" in token
            else "a space or a character that cannot be printed"
        )
        raise _wrong(f"the token from {where} holds {kind}", "it must be the token alone, on one line")
    return token


def _wrong(message: str, remedy: str) -> VaultProblemError:
    return VaultProblemError(message, help=remedy, everywhere=True)
