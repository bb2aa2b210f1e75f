# One target per task; the same ones run in CI (.ci/run).
PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?= --numprocesses 2
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test lint types bench bench-long docs clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' \
	  || { echo "aufer needs Python 3.10 to 3.13; name one: make PYTHON=python3.12 demo"; exit 1; }
	@echo "Making the virtual environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing aufer and what it needs (TensorFlow is large: some minutes at the first time) ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing what the tests need ..."
	@$(PIP) -e '.[dev]'
	@touch $@

demo: $(VENV)/installed ## run the main job on the bundled sample and show its report
	@$(BIN)/aufer demo

test: $(VENV)/installed-dev ## run the tests
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/installed-dev ## check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/installed-dev ## check the types
	@$(BIN)/mypy

bench: $(VENV)/installed-dev ## measure speed and memory, quick ones
	@$(BIN)/python -m benchmarks quick

bench-long: $(VENV)/installed-dev ## measure everything, the long ones too
	@$(BIN)/python -m benchmarks long

docs: $(VENV)/installed-dev ## write docs/commands.md from --help, and build the site
	@$(PIP) -e '.[docs]'
	@$(BIN)/python docs/make_commands.py
	@$(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

clean: ## remove what the targets made (the virtual environment too)
	rm -rf $(VENV) build dist site aufer-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
