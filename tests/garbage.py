"""Finds what was left open: a socket or file that nobody closed warns when it is collected, and a warning fails the test."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collected() -> Iterator[None]:
    """Collect at the end what came about inside, and only that: all that the tests before have left takes long to walk."""
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
