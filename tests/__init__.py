"""The tests. A package, so that `tests/secrets` and its like never stand before the standard library."""
