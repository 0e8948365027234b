# `make replay` and `make test` set up all that they need in .venv, and Node.js packages for the
# tests in tests/guide/node_modules; nothing else is touched. With CI=true, tests/guide/setup also
# installs missing programs.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# They compare processor times, and so want the machine for themselves.
RATIOS := tests/benchmarks/test_ratios.py
COMPILED := $(wildcard */*.cpp */*/*.cpp)

.PHONY: replay test lint types imports tests format bench clean

replay: .venv/replay-ready
	$(BIN)/odin-sim replay recordings/day.parquet

test: lint types imports tests

lint: .venv/test-ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/test-ready
	$(BIN)/mypy

imports: .venv/test-ready
	$(BIN)/lint-imports

tests: .venv/test-ready
	tests/guide/setup
	$(BIN)/python -m pytest -n 2 --dist loadgroup --ignore $(RATIOS)
	$(BIN)/python -m pytest $(RATIOS)

format: .venv/test-ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/test-ready
	tests/guide/setup
	$(BIN)/python -m tests.benchmarks report --run

clean:
	rm -f simulator/*.so streamer/*.so streamer/odin/*.so
	rm -rf .venv tests/guide/node_modules build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/replay-ready: pyproject.toml setup.py $(COMPILED) .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/test-ready: pyproject.toml setup.py $(COMPILED) .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ .venv/replay-ready
