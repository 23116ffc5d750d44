# The commands of the README. Everything happens in a virtual environment of the checkout's own. Checks and pure tests
# run on the tree, and need what is depended on, no more. What serves is installed compiled, and again when a source
# file is newer than the last installation; only what has changed is compiled again.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV ?= .venv
BIN := $(VENV)/bin
PACKAGES := kvserver persistence replication ops grafana
SOURCES := setup.py pyproject.toml requirements.lock README.md LICENSE \
	$(shell find $(PACKAGES) -type f -not -path '*/__pycache__/*' -not -name '*.so' -not -name '*.c' -not -name '*.html')
# The environment's own pip, or where it has none (see .made), that of the Python it was made with.
PIP = export PIP_DISABLE_PIP_VERSION_CHECK=1; pip() { if [ -e $(BIN)/pip ]; then $(BIN)/python -m pip --quiet "$$@"; \
	else $(PYTHON) -m pip --python $(BIN)/python --quiet "$$@"; fi; }; pip
PYTEST_ARGS ?= -n auto --dist loadfile -ra --durations=10
ARGS ?=
ON_TREE := PYTHONPATH=$(CURDIR)
TWO := +@$(MAKE) --no-print-directory -j2

.PHONY: up test test-compiled test-pure check lint types contracts architecture bench profile coverage annotate \
	dashboards conformance differential simulate .schedules .deployments release hook clean

up: ## a primary, two replicas, three sentinels and a live view; ARGS="--demo" kills the primary
	$(TWO) $(VENV)/.run
	@$(BIN)/kvops up $(ARGS)

test: test-compiled test-pure ## everything against the installed package, then again without compiling

test-compiled: $(VENV)/.run $(VENV)/.test
	UNDERSTUDY_EXPECT=$(if $(UNDERSTUDY_COMPILED),compiled) PYTHONPATH= $(BIN)/pytest $(PYTEST_ARGS)

test-pure: $(VENV)/.test
	UNDERSTUDY_EXPECT=pure $(ON_TREE) $(BIN)/pytest $(PYTEST_ARGS) $(wildcard tests/unit tests/scenarios)

check: $(VENV)/.dev ## style, types, import contracts, architecture
	$(TWO) --output-sync=target types lint contracts architecture

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(ON_TREE) $(BIN)/mypy
	$(ON_TREE) $(BIN)/mypy setup.py tests/conftest.py

contracts: $(VENV)/.dev
	$(ON_TREE) $(BIN)/lint-imports

architecture: $(VENV)/.dev
	$(ON_TREE) $(BIN)/pytest tests/unit/architecture

bench: $(VENV)/.run ## ratios to a Redis server in the same run; needs redis-server and redis-benchmark
	$(BIN)/kvops bench $(ARGS)

profile: $(VENV)/.run $(VENV)/.dev ## a flame graph (build/profile.svg) of a node under load; ARGS="--seconds 20 --load 'get'"
	$(BIN)/python -P -m ops.profile $(ARGS)

coverage: $(VENV)/.dev ## lines and branches that the pure tests reach: a table, and pages in build.coverage .coverage.*
	$(ON_TREE) $(BIN)/pytest -n auto --dist loadfile --cov --cov-report=html --cov-report=term $(or $(ARGS),tests/unit tests/simulation)

annotate: $(VENV)/.tools ## what C each line of a hot module became: build/annotated; ARGS="kvserver/wire/resp.py"
	$(BIN)/python setup.py annotate $(ARGS)

dashboards: $(VENV)/.test ## the dashboards' JSON, written from grafana/build.py
	$(ON_TREE) $(BIN)/python -m grafana.build

conformance: $(VENV)/.run $(VENV)/.test ## Redis's own test suite, run against us; ARGS="--unit unit/type/list" for one unit
	$(BIN)/python -m ops.conformance $(ARGS)

simulate: $(VENV)/.test ## MINUTES=5 of schedules, and of whole deployments beside them; or SEARCH=simulation.quorum ARGS=…
	$(if $(SEARCH),@$(SIMULATED) $(SEARCH) $(ARGS),$(TWO) .schedules .deployments)

SIMULATED = PYTHONPATH=$(CURDIR):tests $(BIN)/python -m
MINUTES ?= 1
.schedules: # the quorum's machines for most of the time, then what sentinels decide, without a quorum and with one
	@$(SIMULATED) simulation.quorum --seconds $$(($(MINUTES) * 48))
	@$(SIMULATED) simulation --seconds $$(($(MINUTES) * 6))
	@$(SIMULATED) simulation --by-quorum --by-hand --seconds $$(($(MINUTES) * 6))
.deployments:
	@$(SIMULATED) simulation.whole --seconds $$(($(MINUTES) * 60))

release: check $(VENV)/.release ## VERSION=1.2.3: number and date it, build sdist and wheel, check them; uploads nothing
	$(BIN)/python -m ops.release $(VERSION)
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*

hook: ## git runs `make lint` before each commit
	@printf '#!/bin/sh\nexec make lint\n' > "$$(git rev-parse --git-path hooks)/pre-commit"
	@chmod +x "$$(git rev-parse --git-path hooks)/pre-commit"

clean: ## remove what the other targets made, but not data/
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +

# What is depended on, in growing sizes: to run, to test, to check, to release. The project itself isn't in them.
$(VENV)/.base: EXTRAS :=
$(VENV)/.test: EXTRAS := test
$(VENV)/.dev: EXTRAS := test dev
$(VENV)/.release: EXTRAS := release

$(VENV)/.test $(VENV)/.dev $(VENV)/.release: | $(VENV)/.tools
$(VENV)/.base $(VENV)/.test $(VENV)/.dev $(VENV)/.release: pyproject.toml requirements.lock | $(VENV)/.made
	@echo "installing what it takes to $(or $(lastword $(EXTRAS)),run) into $(VENV)"
	@$(BIN)/python -c 'import sys, tomllib; \
		project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
		extras = [line for name in sys.argv[1:] for line in project["optional-dependencies"][name]]; \
		ours = (project["name"], "cython"); \
		print(*(line for line in project["dependencies"] + extras if not line.startswith(ours)), sep="\n")' \
		$(EXTRAS) > $@.txt
	@$(PIP) install -c requirements.lock -r $@.txt
	@touch $@

# The wheel is built beside the installation of what it depends on: Cython, which both need, is installed by this side.
$(VENV)/.wheel: $(SOURCES) | $(VENV)/.tools
	@echo "building the project (the first time it compiles for a while)"
	@rm -rf build/wheel
	@$(PIP) wheel --no-build-isolation --no-deps --config-settings=--build-option=--compression=stored \
		--wheel-dir build/wheel .
	@touch $@

$(VENV)/.run: $(VENV)/.wheel $(VENV)/.base
	@$(PIP) install --no-deps --force-reinstall build/wheel/*.whl
	@$(BIN)/python -I -c 'import kvserver.wire.resp as hot; print("installed,", \
		"uncompiled (UNDERSTUDY_COMPILED=1 shows why)" if hot.__file__.endswith(".py") else "compiled")'
	@touch $@

$(VENV)/.tools: requirements.lock | $(VENV)/.made
	@$(PIP) install --no-compile -c requirements.lock setuptools cython
	@touch $@

# A pip of the environment's own takes four seconds; that of a Python that has one (22.3 or later) serves as well.
$(VENV)/.made: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed (make PYTHON=/path/to/python3.11)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) lacks its venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@if $(PYTHON) -m pip --python $(PYTHON) --version >/dev/null 2>&1; then $(PYTHON) -m venv --without-pip $(VENV); \
		else $(PYTHON) -m venv $(VENV); fi
	@touch $@
