# Regulars. `make` alone prints this help.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

help: ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

run: $(STAMP) ## Start the whole product offline and print its addresses (Ctrl-C stops it)
	@exec $(BIN)/python -u examples/demo.py

test: $(STAMP) ## Run the tests (T=tests/values narrows)
	@$(BIN)/python -m pytest -q $(T)

install: $(STAMP) ## Make .venv alone

check: $(STAMP) ## What CI runs before the tests: lint, format, types, layers, lock
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@$(MAKE) --no-print-directory lock-check

lock: $(STAMP) ## Renew requirements.txt from pyproject.toml
	@$(LOCK) --upgrade -o requirements.txt pyproject.toml

messages: $(STAMP) ## Bring the catalogue of translations in step with the code
	@$(BIN)/pybabel -q extract -F pyproject.toml -k N_ --no-location --sort-output -o $(VENV)/messages.pot plugin
	@$(BIN)/pybabel -q update -i $(VENV)/messages.pot -d $(CATALOGUE) -D regulars --ignore-obsolete --no-fuzzy-matching --ignore-pot-creation-date
	@$(BIN)/pybabel -q compile -d $(CATALOGUE) -D regulars

bench: $(STAMP) ## Measure what the README claims, side by side
	@$(BIN)/python -m tests.bench

widget: $(STAMP) ## Renew the hashes of the widget's version that is not released yet
	@$(BIN)/python -m tests.widget.release

CATALOGUE = plugin/regulars/values/catalogue

# Universal and hashed: the same file serves every Python from 3.11 on any system.
LOCK = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --extra app --extra postgres --group dev

lock-check: $(STAMP)
	@cp requirements.txt $(VENV)/requirements.check
	@$(LOCK) -o $(VENV)/requirements.check pyproject.toml
	@cmp -s requirements.txt $(VENV)/requirements.check || \
		{ echo "requirements.txt is not what pyproject.toml asks for: run 'make lock'"; exit 1; }

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Regulars needs Python 3.11 or newer; $(PYTHON) is older or missing. Install one and run: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv module is missing. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Making $(VENV) (once; about a minute) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

.PHONY: help run test install check lock lock-check bench widget
