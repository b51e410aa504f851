VENV ?= .venv
export VENV
BIN := $(VENV)/bin

# Tests that share one production, or count processor time: not two at once.
ALONE := tests/acceptance tests/unit/test_imports.py
# A test that fails is tried once more, three of them in a run, and the summary says why it failed: see CONTRIBUTING.md.
AGAIN := --reruns 1 --max-suite-reruns 3 --rerun-show-tracebacks

.DEFAULT_GOAL := help
.PHONY: help run demo test check bench lock clean

help: ## show this help
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## set up, start the production, serve portal and REST (PORT, HOST, IRISUSERNAME, IRISPASSWORD, IRISLITE_HOME)
	@scripts/setup.sh run
	@exec $(BIN)/evergreen run

demo: ## the main job against a running production: train, compare, promote, ask
	@scripts/setup.sh run
	@exec $(BIN)/evergreen demo

test: ## set up and run all tests
	@scripts/setup.sh test
	$(BIN)/python -m pytest $(AGAIN) $(ALONE)
	$(BIN)/python -m pytest $(AGAIN) -n 2 --dist loadfile tests $(ALONE:%=--ignore %)

check: ## the fast checks: style, types, import rules
	@scripts/setup.sh test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd src/python && ../../$(BIN)/lint-imports --config ../../pyproject.toml --no-cache

bench: ## measure, an hour in all; each benchmark ends with one line of JSON (BENCH=messages for one of them)
	@scripts/setup.sh bench
	@for file in benchmarks/$(or $(BENCH),*).py; do $(BIN)/python "$$file" || exit 1; done

lock: ## resolve pyproject.toml into the lock files anew
	@scripts/setup.sh run
	$(BIN)/python scripts/lock.py

clean: ## remove the environment and everything that can be made again; models, messages and tables stay
	rm -rf $(VENV) build dist src/python/*.egg-info .ruff_cache .mypy_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
