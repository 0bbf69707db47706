# `make` alone lists what there is. Python 3.11+ and Node 20+ are enough; everything else is fetched.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
PYTEST_ARGS ?=
# Test processes, each with a database server, a Redis and a chain of its own. With 0 pytest runs all in its own process.
WORKERS ?= 2

.PHONY: help setup bytecode console demo smoke walk test unit check lint types documents format contracts reference lock bench clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.ready: requirements.lock pyproject.toml
	@echo "· Python packages into $(VENV)"
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed (PYTHON=/path/to/python3.11 make …)"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

contracts/node_modules/.ready: contracts/package-lock.json
	@echo "· local chain and Solidity tools into contracts/node_modules"
	@node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null || \
	  { echo "Node 20 or newer with npm is needed for the local chain"; exit 1; }
	@cd contracts && npm ci --silent --no-audit --no-fund
	@touch $@

# What has not changed since the last time, by a hash of all sources, is not built again.
console: ## Build the console of web/ into the Python package
	@node web/scripts/build.mjs

# Only the tests need these, and they fetch them themselves when run without make; kept out of `setup` for those who run the demo.
.PHONY: test-servers
test-servers: $(VENV)/.ready
	@$(BIN)/python -m tests.support.timescaledb
	@$(BIN)/python -m tests.support.debian_programs

# As above: what generates clients of the API, the schema of AsyncAPI documents, and a reader of ERC-7730.
.PHONY: api-clients
api-clients: $(VENV)/.ready
	@$(BIN)/python -m tests.support.api_clients

# As above: a real browser.
.PHONY: browser
browser: $(VENV)/.ready
	@$(BIN)/python -m tests.support.browser

# Python compiles nothing itself where PYTHONDONTWRITEBYTECODE is set, and then every process pays for it at its start.
# What has not changed since the last time is left alone: that takes a twentieth of a second.
bytecode: $(VENV)/.ready
	@$(BIN)/python -m compileall -q --invalidation-mode timestamp src tests bench

setup: $(VENV)/.ready contracts/node_modules/.ready console bytecode ## Install everything into this folder (the others do it when needed)

demo: setup ## Run everything here, embedded, until Ctrl-C (FRESH=1 starts over)
	@$(BIN)/paimon demo $(if $(FRESH),--fresh) || [ $$? -eq 143 ]  # an exit by SIGTERM is no error

smoke: setup ## Take five redemptions from request to settlement and compare with the chain (KILLS=21 SEED=7 kills processes)
	@$(BIN)/paimon smoke $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))

walk: smoke # the former name of `make smoke`

test: setup test-servers api-clients browser ## All tests: Python on real services, then the contracts' (WORKERS=4 at once, 2 if not said)
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal --durations=20 $(PYTEST_ARGS)
	@cd contracts && npm test --silent

unit: setup ## Only the pure rules, in seconds
	@$(BIN)/pytest -m unit $(PYTEST_ARGS)

check: lint types documents security web ## Lint, spelling, architecture, types, documents made from the code, security and the console

lint: setup ## ruff, codespell and import-linter
	@$(BIN)/ruff check src tests bench hatch_build.py
	@$(BIN)/ruff format --check src tests bench hatch_build.py
	@$(BIN)/codespell src tests bench docs deploy web Makefile *.md
	@$(BIN)/lint-imports

types: setup ## mypy --strict
	@$(BIN)/mypy

.PHONY: web
web: setup ## Types, lint, unit tests and size of the console, unless they passed on these sources
	@node web/scripts/check.mjs

documents: setup ## Compare docs/reference with the code
	@$(BIN)/pytest -q -p no:cacheprovider -k "matches_code" tests/unit/rest/test_openapi.py tests/unit/websocket/test_asyncapi.py \
	  tests/unit/settings/test_reference.py tests/unit/database/test_rights_reference.py tests/unit/identity/test_permissions.py

# bandit looks at each file by itself, so those that have not changed since its last run are left alone, unless its settings or
# its version may have changed.
UNREAD_BY_BANDIT = $(shell test $(VENV)/.bandit -nt pyproject.toml && test $(VENV)/.bandit -nt requirements.lock && \
  echo -newer $(VENV)/.bandit)
.PHONY: security audit
security: setup ## bandit on what changed, secrets, and advisories (says that none were compared without ADVISORIES=all.zip, OSV's export)
	@find src -name '*.py' $(UNREAD_BY_BANDIT) -print0 | \
	  xargs -0 -r $(BIN)/bandit --quiet --configfile pyproject.toml --severity-level medium
	@touch $(VENV)/.bandit
	@$(BIN)/python -m tests.support.secret_scan
	@$(BIN)/python -m tests.support.advisories $(ADVISORIES)

audit: setup ## Compare requirements.lock with the published advisories (needs the network; fails where a package was not compared)
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

format: setup ## Let ruff put the code in shape
	@$(BIN)/ruff check --fix src tests bench
	@$(BIN)/ruff format src tests bench

contracts: setup ## Compile the test fund again and write artifacts and ABIs
	@cd contracts && npm run compile

bench: setup ## Measure; figures go to bench/results (SUITE=database for one, SUITE=replay EVENTS=1000000)
	@$(BIN)/python -m bench $(SUITE) $(if $(EVENTS),--events $(EVENTS))

reference: setup ## Write the pages of docs/reference that are made from the code
	@$(BIN)/python -c "from paimon.settings.reference import settings_reference as page; print(page(), end='')" > docs/reference/settings.md
	@$(BIN)/python -c "from paimon.gateway.cli.reference import cli_reference as page; print(page(), end='')" > docs/reference/cli.md
	@$(BIN)/python -c "from paimon.infrastructure.database.rights.reference import rights_reference as page; print(page(), end='')" > docs/reference/database-rights.md
	@$(BIN)/python -c "from paimon.domain.user.reference import permissions_reference as page; print(page(), end='')" > docs/reference/permissions.md
	@$(BIN)/python -c "from paimon.gateway.rest.reference import openapi_reference as page; print(page(), end='')" > docs/reference/openapi.json
	@$(BIN)/python -c "from paimon.gateway.websocket.asyncapi import asyncapi_reference as page; print(page(), end='')" > docs/reference/asyncapi.json

lock: $(VENV)/.ready ## Resolve requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --group dev --extra demo --extra kms --extra kms-gcp --generate-hashes --universal --python-version 3.11 \
	  --no-header --quiet --output-file requirements.lock

clean: ## Remove what was installed and the demo's data
	rm -rf $(VENV) contracts/node_modules contracts/out contracts/cache tests/timescaledb/node_modules .debian \
	  tests/api_clients/node_modules .api-clients tests/browser/node_modules web/node_modules .paimon \
	  src/paimon/gateway/rest/console/built
