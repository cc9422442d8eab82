# From nothing but Python 3.11–3.13 with pip and venv, make and git: `make demo`, `make test`.
# PYTHON=… chooses the interpreter, T=… what `make test` runs.

SHELL := /bin/bash
VENV ?= .venv
BIN := $(VENV)/bin
T ?= tests
# Two for each core: many tests wait for a server or a screen.
WORKERS ?= 4
PIP := $(BIN)/python -m pip --disable-pip-version-check
PIP_LOCKED := $(PIP) install --quiet --require-hashes --only-binary :all:
INSTALL_SELF := $(PIP) install --quiet --no-deps --no-build-isolation --editable .
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate \
	--python-version 3.11 --custom-compile-command "make lock" pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help demo run test long lint format types layers compat postgres bench screenshots walkthrough man lock clean

help:
	@echo "make demo         the dashboard with sample flows that move by themselves"
	@echo "make run          the dashboard on your own embedded server"
	@echo "make test         all tests but those that need a real Prefect or PostgreSQL (T=tests/store for a part)"
	@echo "make long         the loops that end processes, in full length"
	@echo "make lint types layers   style, static types, who imports whom"
	@echo "make compat       the real Prefect 1 client and agent against our server, ours against a real Prefect 3"
	@echo "make postgres     what a server and its store promise, on a PostgreSQL from a wheel"
	@echo "make bench        start-up, server and terminal figures on this machine"
	@echo "make screenshots  draw every screen into screenshots/ again"
	@echo "make walkthrough  record the README's walkthrough again"
	@echo "make man          write the manual page from the commands again"
	@echo "make lock         resolve the dependencies anew"

demo: $(VENV)/.run
	$(BIN)/flowlatch demo

run: $(VENV)/.run
	$(BIN)/flowlatch

test: $(VENV)/.dev
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m "not compat and not postgres" $(T)

long: $(VENV)/.dev
	$(BIN)/pytest --long tests/store/test_kill.py tests/store/test_files.py tests/reliability/test_promises.py

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev
	$(BIN)/mypy
	$(BIN)/mypy tests

layers: $(VENV)/.dev
	$(BIN)/pytest -q tests/test_layers.py tests/test_foreign_text.py

compat: $(VENV)/.dev
	$(BIN)/pytest -m compat tests/compat tests/prefect3

postgres: $(VENV)/.dev
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup --postgres tests/postgres tests/store tests/server tests/contract

bench: $(VENV)/.dev
	$(BIN)/python -m tests.bench.startup
	$(BIN)/python -m tests.bench.server
	$(BIN)/python -m tests.bench.live
	$(BIN)/python -m tests.bench.moving
	$(BIN)/python -m tests.bench.deck

screenshots: $(VENV)/.dev
	$(BIN)/python -m tests.screenshots

walkthrough: $(VENV)/.dev
	$(BIN)/python -m tests.asciicast

man: $(VENV)/.dev
	$(BIN)/python -m tests.man_page

lock: $(VENV)/.dev
	$(LOCK) --upgrade --group build --output-file requirements.lock
	$(LOCK) --upgrade --group dev --constraint requirements.lock --output-file requirements-dev.lock
	cd tests/compat && $(CURDIR)/$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-annotate \
		--python-version 3.11 --only-binary :all: --custom-compile-command "make lock" requirements.in \
		--output-file requirements.lock
	cd tests/prefect3 && $(CURDIR)/$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url \
		--no-annotate --python-version 3.11 --custom-compile-command "make lock" requirements.in --output-file requirements.lock

clean:
	rm -rf $(VENV) .compat-venv .prefect3-venv build dist

$(BIN)/python:
	@python=$$(./.ci/python $(PYTHON)) && echo "environment: $(VENV) with $$python" && "$$python" -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP_LOCKED) --requirement requirements.lock
	$(INSTALL_SELF)
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(PIP_LOCKED) --requirement requirements-dev.lock
	$(INSTALL_SELF)
	@touch $@ $(VENV)/.run
