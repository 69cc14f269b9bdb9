"""runner.d: API workflows as reviewed files."""

__version__ = "0.1.0"
