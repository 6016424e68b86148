# The two commands of a newcomer: `make demo` and `make test`. Everything is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export DAGSTER_HOME ?= $(CURDIR)/.dagster_home

.PHONY: help demo dev test lint bench clean java
help:
	@echo "make demo   sample, features, one training week, leaderboard (under 10 minutes)"
	@echo "make test   every test, on a real HDFS and a real Spark cluster"
	@echo "make dev    the Dagster UI on the demo's data"
	@echo "make lint   ruff, mypy, import contracts"
	@echo "make bench  the benchmarks; see docs/benchmarks.md"

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is missing. On Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing into $(VENV): about 1.5 GB, a minute or two"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint]'
	@touch $@

java:
	@sh scripts/require-java.sh

# the project's own home follows the repository's file; a home of yours keeps the file it has
ifeq ($(DAGSTER_HOME),$(CURDIR)/.dagster_home)
$(DAGSTER_HOME)/dagster.yaml: dagster.yaml
endif
$(DAGSTER_HOME)/dagster.yaml:
	@mkdir -p $(DAGSTER_HOME)
	@cp dagster.yaml $@

demo: java $(STAMP) $(DAGSTER_HOME)/dagster.yaml
	$(BIN)/traffic-assets demo

dev: java $(STAMP) $(DAGSTER_HOME)/dagster.yaml
	-@$(BIN)/traffic-assets class-data >/dev/null
	$(BIN)/dagster dev --host 127.0.0.1

test: java $(STAMP)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: java $(STAMP)
	$(BIN)/python benchmarks/load.py
	$(BIN)/python benchmarks/overhead.py

# what was made from the sources; data, models and the run history (.dagster_home) stay
clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
