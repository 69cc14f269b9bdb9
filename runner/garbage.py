"""The collector of cyclic garbage, held off while much is made that stays."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Hold the collector off: each of its passes would walk all that was read so far, and find nothing to free."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # to the oldest generation, without walking it
            gc.freeze()
            gc.unfreeze()
        gc.enable()
