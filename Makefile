# Needs python3 (3.11 or newer), its venv module, and make. Everything else goes into .venv.

# The first Python that is new enough; `make venv PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

BIN := .venv/bin
# Two processes on two cores; no more than four, since each loads the models.
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -gt 4 ] && n=4; echo $$n)
TESTS := $(BIN)/python -m pytest -n $(JOBS) --dist worksteal
# What talks to the database, which is run once more on PostgreSQL.
DATABASE_TESTS := tests/library tests/services tests/workers tests/api
export PHOTOS

.PHONY: help venv test test-long lint format bench run demo constraints clean
.DEFAULT_GOAL := help

help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name what; do \
		printf '  make %-12s %s\n' "$$name" "$$what"; done

venv: .venv/tested ## install Lookwho and all that its tests need into .venv

.venv/bin/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Lookwho needs Python 3.11 or newer. Install one, or: make venv PYTHON=/path/to/python3"; \
		echo "On Debian 12, Ubuntu 24.04 or newer: sudo apt install python3 python3-venv"; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is no Python 3.11 or newer."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: its venv or ensurepip module is missing."; \
		echo "On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv --clear .venv

.venv/installed: .venv/bin/python pyproject.toml tools/install.py $(wildcard constraints/*.txt)
	@echo "Installing Lookwho into .venv: about a minute, 1 GB."
	@$(BIN)/python tools/install.py run
	@touch $@

.venv/tested: .venv/bin/python pyproject.toml tools/install.py tools/samples.py tools/system.py \
		$(wildcard constraints/*.txt)
	@echo "Installing Lookwho and all that its tests need into .venv: two minutes, 2 GB."
	@$(BIN)/python tools/install.py
	@$(BIN)/python tools/samples.py >/dev/null || echo "Tests that need the sample photos are skipped."
	@$(BIN)/python tools/system.py
	@touch .venv/installed $@

test: venv ## run the tests, except the long ones: on SQLite, then what needs a database on PostgreSQL
	@$(TESTS) $(ARGS)
	@$(if $(ARGS),,LOOKWHO_TEST_DATABASE=postgresql $(TESTS) $(DATABASE_TESTS))

test-long: venv ## run all tests, also those that take minutes
	@$(TESTS) -m "long or not long" $(ARGS)
	@$(if $(ARGS),,LOOKWHO_TEST_DATABASE=postgresql $(TESTS) -m "long or not long" $(DATABASE_TESTS))

lint: venv ## check style, types and the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: venv ## rewrite the sources as `make lint` wants them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: venv ## measure speed and accuracy
	@$(BIN)/python -m bench $(ARGS)

run: .venv/installed ## start Lookwho: make run, or make run PHOTOS=~/Pictures
	@$(BIN)/lookwho serve $(if $(PHOTOS),--photos "$$PHOTOS") $(ARGS)

demo: .venv/installed ## the same with seven sample photos, apart from your own library
	@photos=$$($(BIN)/python tools/samples.py) && \
		LOOKWHO_HOME=.cache/demo $(BIN)/lookwho serve --photos "$$photos" $(ARGS)

constraints: ## rewrite constraints/ (PYTHONS: a 3.11, a 3.12 and a 3.13; all three are needed)
	@$(PYTHON) tools/constraints.py $(or $(PYTHONS),python3.11 python3.12 python3.13)

clean: ## remove what make, the tests and the linters made here
	rm -rf .venv .cache .hypothesis .import_linter_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
