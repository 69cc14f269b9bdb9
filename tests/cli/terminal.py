"""A terminal in a test, in place of a standard stream."""

import io


class Terminal(io.StringIO):
    """A text stream that says it is a terminal; what it holds is what a person types."""

    def isatty(self) -> bool:
        """Be one."""
        return True
