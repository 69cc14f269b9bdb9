"""What a command was told by its flags and by the environment, in one value.

This and `secrets/env.py` are the only readers of the process's environment. A named tuple and no dataclass: it is made
for every command, also for `runner version`, and `dataclasses` costs more to import than all of that.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

COLORS = ("auto", "always", "never")


class Settings(NamedTuple):
    """Flags that all commands share, and the environment: nothing else asks where it runs."""

    environ: Mapping[str, str]
    project: str | None = None
    environment: str | None = None
    user: str | None = None
    quiet: bool = False
    verbose: int = 0
    color: str = "auto"
    state: str | None = None

    @property
    def cwd(self) -> "Path":
        """The directory that relative paths of the command line start from."""
        from pathlib import Path

        from runner.errors import UsageError

        try:
            return Path.cwd()
        except FileNotFoundError:
            raise UsageError(
                "the working directory does not exist any more", help="go to one that does: `cd` to it anew"
            ) from None

    @property
    def github_actions(self) -> bool:
        """Whether a job of GitHub Actions runs this: secrets are registered with its own masking."""
        return self.environ.get("GITHUB_ACTIONS") == "true"

    @property
    def ci(self) -> bool:
        """Whether a CI system runs this: no progress that rewrites its line."""
        return self.environ.get("CI", "").lower() not in ("", "0", "false")

    def colored(self, *, terminal: bool) -> bool:
        """Tell whether to paint what goes to a stream. `--color` wins over NO_COLOR (https://no-color.org)."""
        if self.color != "auto":
            return self.color == "always"
        return terminal and not self.environ.get("NO_COLOR") and self.environ.get("TERM") != "dumb"


def read(options: Any, environ: Mapping[str, str] | None = None) -> Settings:
    """Combine parsed options and the environment (that of the process unless another is given)."""
    environ = dict(os.environ) if environ is None else environ
    return Settings(
        environ=environ,
        project=getattr(options, "project", None),
        environment=getattr(options, "environment", None),
        user=getattr(options, "user", None) or environ.get("RUNNER_USER") or None,
        quiet=bool(getattr(options, "quiet", False)),
        verbose=getattr(options, "verbose", 0) or 0,
        color=getattr(options, "color", None) or "auto",
        state=getattr(options, "state", None) or environ.get("RUNNER_STATE") or None,
    )
