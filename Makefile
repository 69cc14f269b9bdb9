# make demo    the main job, on real servers, in under a minute
# make test    all tests
# make ci      everything that must hold before a merge
# Each creates .venv by itself; needed are Python 3.11 or later, make and git.

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# More for pytest: make test ARGS="-k retry"
ARGS ?=
# Processes that share the tests, by file.
WORKERS ?= auto

.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test check format golden schemas schemas-current bench bench-short soak wheel ci clean

help:
	@sed -n 's/^# make /make /p' Makefile
	@echo "also: make check | format | golden | schemas | bench | bench-short | soak | wheel | clean"

$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo "runner.d needs Python 3.11 or later with its venv module \
	(Debian, Ubuntu: apt install python3 python3-venv)" >&2; exit 1; }
	@echo "== installing into $(VENV) (first time: about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/python -m tests.demo

# Hundreds of tests start the program: none of them compiles it, also where the environment keeps Python from caching.
test: $(INSTALLED)
	@$(BIN)/python -m compileall -q runner
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: $(INSTALLED)
	@echo "== format";       $(BIN)/ruff format --quiet --check . || { echo "run: make format" >&2; exit 1; }
	@echo "== lint";         $(BIN)/ruff check --quiet .
	@echo "== types";        $(BIN)/mypy --no-error-summary
	@echo "== architecture"; $(BIN)/python -m pytest --quiet tests/test_architecture.py

format: $(INSTALLED)
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

golden: $(INSTALLED)
	@$(BIN)/python -m pytest --quiet --update-golden tests/golden
	@git status --short tests/golden

schemas: $(INSTALLED)
	@$(BIN)/python -m runner.language

schemas-current: $(INSTALLED)
	@.ci/schemas-current $(BIN)/python

# The other tools are installed below build/.
bench: $(INSTALLED)
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.side_by_side
	@$(BIN)/python -m benchmarks.checking
	@$(BIN)/python -m benchmarks.history

# Seconds: is anything twice as slow as it was?
bench-short: $(INSTALLED)
	@$(BIN)/python -m benchmarks.short

# 200 times killed at random, and gone on with: minutes. make soak ARGS="50 SEED" fewer, or the same again;
# ARGS="--engine temporal": not runs are killed, but the workers of a Temporal server
soak: $(INSTALLED)
	@$(BIN)/python -m tests.soak $(ARGS)

wheel: $(INSTALLED)
	@.ci/wheel $(BIN)/python

# The tests come last: the end of the output is their summary.
ci:
	@set -e; for target in check schemas-current demo wheel bench-short test; do \
		echo; echo "==== make $$target"; $(MAKE) --no-print-directory $$target; done

clean:
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
	@find runner tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
