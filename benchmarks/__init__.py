"""Reproducible measurements of start-up and of a chain of requests: `python -m benchmarks` or `make bench`."""
