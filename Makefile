# The commands of the README. Everything happens in a virtual environment of the checkout's own, installed again
# only when a source file, or what is depended on, is newer than the last installation.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV ?= .venv
BIN := $(VENV)/bin
PACKAGES := kvserver persistence replication ops grafana
SOURCES := setup.py pyproject.toml requirements.lock README.md LICENSE \
	$(shell find $(PACKAGES) -type f -not -path '*/__pycache__/*')
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip --quiet
PYTEST_ARGS ?= -n auto --dist loadfile -ra --durations=10
ARGS ?=

.PHONY: up test test-compiled test-pure check lint types contracts architecture bench dashboards conformance differential simulate clean

up: $(VENV)/.run ## a primary, two replicas, three sentinels and a live view; ARGS="--demo" kills the primary
	@$(BIN)/kvops up $(ARGS)

test: test-compiled test-pure ## everything against the installed package, then again without compiling

test-compiled: $(VENV)/.test
	UNDERSTUDY_EXPECT=$(if $(UNDERSTUDY_COMPILED),compiled) PYTHONPATH= $(BIN)/pytest $(PYTEST_ARGS)

test-pure: $(VENV)/.test
	UNDERSTUDY_EXPECT=pure PYTHONPATH=$(CURDIR) $(BIN)/pytest $(PYTEST_ARGS) $(wildcard tests/unit tests/scenarios)

check: lint types contracts architecture ## style, types, import contracts, architecture

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy
	$(BIN)/mypy setup.py tests/conftest.py

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

architecture: $(VENV)/.dev
	$(BIN)/pytest tests/unit/architecture

bench: $(VENV)/.run ## ratios to a Redis server in the same run; needs redis-server and redis-benchmark
	$(BIN)/kvops bench $(ARGS)

dashboards: $(VENV)/.test ## the dashboards' JSON, written from grafana/build.py
	$(BIN)/python -m grafana.build

conformance: $(VENV)/.test ## Redis's own test suite, run against us; ARGS="--unit unit/type/list" for one unit
	$(BIN)/python -m ops.conformance $(ARGS)

simulate: $(VENV)/.test ## clusters in one process, faults and schedules chosen by seeds; ARGS="--seconds 600"
	PYTHONPATH=tests $(BIN)/python -m simulation $(ARGS)

clean: ## remove what the other targets made, but not data/
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Three sizes of the same environment, each including the one before: to run, to test, to check.
$(VENV)/.run: EXTRAS :=
$(VENV)/.test: EXTRAS := [test]
$(VENV)/.dev: EXTRAS := [dev]

$(VENV)/.run $(VENV)/.test $(VENV)/.dev: $(SOURCES) | $(VENV)/.made
	@echo "installing .$(EXTRAS) into $(VENV) (compiling takes a minute)"
	@rm -rf build/lib* build/bdist* *.egg-info
	@$(PIP) install --no-build-isolation -c requirements.lock ".$(EXTRAS)"
	@$(BIN)/python -I -c 'import kvserver.wire.resp as hot; print("installed,", \
		"uncompiled (UNDERSTUDY_COMPILED=1 shows why)" if hot.__file__.endswith(".py") else "compiled")'
	@touch $(VENV)/.run $(if $(EXTRAS),$(VENV)/.test) $@

$(VENV)/.made: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed (make PYTHON=/path/to/python3.11)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) lacks its venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install -c requirements.lock setuptools cython
	@touch $@
