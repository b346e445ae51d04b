# The interface of the repository; CI calls the same targets. Needs Python >= 3.11, make, git and a package index.

.DEFAULT_GOAL := help
SHELL := /bin/sh
export SAM_CLI_TELEMETRY := 0
# `sam validate` and samtranslator want to know a region, although nothing is deployed.
export AWS_DEFAULT_REGION ?= eu-central-1

BIN := .venv/bin
SAM := .tools/sam/bin/sam
UV := .tools/uv/bin/uv
LOCK := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q $(if $(UPGRADE),--upgrade)

# python3.13 first: it is what Lambda runs. A command of that name may be a mere shim, hence the trial run; `ensurepip`,
# because some distributions ship Python without what `venv` needs.
PYTHON = $(shell for python in python3.13 $$(ls -d "$(HOME)"/.pyenv/versions/3.13*/bin/python3.13 2>/dev/null | sort -rV) \
		python3.12 python3.11 python3 python; do \
	if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		command -v "$$python"; break; fi; done)
NO_PYTHON := Conveyor needs Python 3.11 or newer with the modules venv and ensurepip (on Debian: apt install python3-venv)

.PHONY: help setup demo test check bench lint type unit template build dynamodb-local lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.stamp ## create .venv with everything, .venv/bin/conveyor included

demo: .venv/.stamp ## play a day of leads against the local stack (DEMO_EXIT=1: end after the report)
	$(BIN)/python -m infra.local.demo

test: .venv/.stamp dynamodb-local ## run all tests
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

check: lint type test template build ## everything that CI runs

bench: .venv/.stamp dynamodb-local ## run the benchmarks; tables here, numbers in bench/results/
	$(BIN)/python -m tests.benchmarks

lint: .venv/.stamp ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: .venv/.stamp ## mypy, strict
	$(BIN)/mypy

unit: .venv/.stamp ## the unit tests alone, in seconds
	$(BIN)/python -m pytest -q tests/unit

template: .venv/.stamp .tools/sam/.stamp ## cfn-lint and sam validate
	$(BIN)/cfn-lint template.yaml infra/observability.yaml
	$(SAM) validate --lint

build: .venv/.stamp .tools/sam/.stamp ## sam build, then import every built handler
	@test -x $(BIN)/python3.13 || { echo "make build needs python3.13, the Lambda runtime: install it" \
		"(for example: pyenv install 3.13), then make clean build" >&2; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" $(SAM) build
	$(BIN)/python -m tests.template.check_artifacts --python $(BIN)/python3.13

# Its jar is version 1.25.1; npm checks what it downloads against the registry's digest.
DYNAMODB_LOCAL := amplify-dynamodb-simulator@2.9.30

dynamodb-local: ## bring AWS's own DynamoDB engine for the tests that need it (wants java and npm)
	@if ! test -f .tools/dynamodb-local/package/emulator/DynamoDBLocal.jar; then \
		if command -v java >/dev/null && command -v npm >/dev/null; then \
			mkdir -p .tools/dynamodb-local && cd .tools/dynamodb-local && \
			npm pack --silent $(DYNAMODB_LOCAL) >/dev/null && tar xzf *.tgz && rm *.tgz; \
		else false; fi || echo "no java, npm or registry: tests on DynamoDB Local will be skipped" >&2; fi

lock: .tools/uv/.stamp ## renew the locks after a change of pyproject.toml or requirements/*.in (UPGRADE=1: newest versions)
	$(LOCK) pyproject.toml --extra tools --extra dev -o requirements/dev.lock
	$(LOCK) requirements/functions.in -c requirements/dev.lock -o functions/requirements.txt
	$(LOCK) requirements/sam.in -o requirements/sam.lock

clean: ## remove everything that the other targets made
	rm -rf .venv .tools .aws-sam build .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps say for which locks an environment was made; pip, because it heeds everybody's index settings.

.venv/.stamp: requirements/dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 1; }
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

# An environment of its own: aws-sam-cli pins versions that contradict ours.
.tools/sam/.stamp: requirements/sam.lock
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 1; }
	"$(PYTHON)" -m venv .tools/sam
	.tools/sam/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/sam.lock
	@touch $@

.tools/uv/.stamp:
	"$(PYTHON)" -m venv .tools/uv
	.tools/uv/bin/python -m pip install -q --disable-pip-version-check 'uv>=0.9'
	@touch $@
