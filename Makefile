# Two commands to get started: `make demo` and `make test`. Everything is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export DAGSTER_HOME ?= $(CURDIR)/.dagster_home

.PHONY: help demo dev check test-fast test lint docs bench clean java constraints wheel
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is missing. On Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing into $(VENV): about 1.5 GB, a minute or two"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint,docs]'
	@touch $@

java:
	@sh scripts/require-java.sh

# the default DAGSTER_HOME follows the repository's dagster.yaml; a DAGSTER_HOME of your own keeps its file
ifeq ($(DAGSTER_HOME),$(CURDIR)/.dagster_home)
$(DAGSTER_HOME)/dagster.yaml: dagster.yaml
endif
$(DAGSTER_HOME)/dagster.yaml:
	@mkdir -p $(DAGSTER_HOME)
	@cp dagster.yaml $@

demo: java $(STAMP) $(DAGSTER_HOME)/dagster.yaml ## simulate readings, train one week, print the leaderboard (a few minutes)
	$(BIN)/traffic-assets demo

dev: java $(STAMP) $(DAGSTER_HOME)/dagster.yaml ## start the Dagster UI on the demo's data
	-@$(BIN)/traffic-assets class-data >/dev/null
	$(BIN)/dagster dev --host 127.0.0.1

# traffic_assets_tests/tiers.py defines the tiers; PYTEST_ARGS adds pytest options. Each worker is a process with its own
# servers (workers.py). More than two workers need more than 2 cores, and about 4 GB each
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

check: lint ## run linters, type checks, import contracts and pure tests
	$(PYTEST) -m pure $(PYTEST_ARGS)

test-fast: java $(STAMP) ## run the pure tests and those on a Spark session, with coverage
	$(PYTEST) -m "pure or spark" $(or $(PYTEST_ARGS),--cov)

test: test-fast ## run every test, including those on a real HDFS and a real Spark cluster
	$(PYTEST) -m "not pure and not spark" $(PYTEST_ARGS)

lint: $(STAMP) ## run ruff, mypy, import contracts and codespell, and check constraints.txt
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python scripts/constraints.py --check

# needs no .venv, so it runs even if the pins contradict pyproject.toml
constraints: ## write constraints.txt: one version of each distribution that the extras install
	$(PYTHON) scripts/constraints.py $(CONSTRAINTS_ARGS)

wheel: $(STAMP) ## build the wheel into dist/
	rm -rf build
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

docs: $(STAMP) ## build the documentation site in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: java $(STAMP) ## run the two short benchmarks; see docs/benchmarks.md
	$(BIN)/python benchmarks/load.py
	$(BIN)/python benchmarks/overhead.py

# keeps data, models and the run history (.dagster_home)
clean: ## remove the virtual environment and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage build dist site *.egg-info
