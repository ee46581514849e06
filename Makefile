SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3.11
UV := .uv/bin/uv
C360 := .venv/bin/c360
CUSTOMERS ?= 120
DAYS ?= 5
SEED ?= 1

.PHONY: help setup load test acceptance lint bench clean

help: ## print every target with one line of help
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: .venv/.ready ## install everything: Java 17 if it can, locked packages, jars kept inside the project

load: export C360_SMALL_DAYS ?= $(shell [ $(CUSTOMERS) -le 1000 ] && echo true || echo false)
load: .venv/.ready ## simulate a small broker, load five trading days, publish, and say what happened
	@[ -d landing ] || $(C360) simulate --customers $(CUSTOMERS) --days $(DAYS) --seed $(SEED)
	@C360_SETUP_SECONDS=$$(cat .venv/.ready) $(C360) load --introduce

test: .venv/.ready ## run all tests but the long ones
	@.venv/bin/pytest -q -m "not acceptance" -n 2 --dist loadscope --no-loadscope-reorder

acceptance: .venv/.ready ## run the long checks: all seeds and days, each formula and each reconciliation broken once
	@.venv/bin/python -m pytest -q -m acceptance -n 2 --dist loadscope --no-loadscope-reorder -p tests.results_table --table tests/acceptance/results.md

lint: .venv/.ready ## check style: ruff and sqlfluff
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/sqlfluff lint dbt_project/models --config dbt_project/.sqlfluff

bench: .venv/.ready ## history beside the textbook MERGE, one day by step, attribution, decode rates, publishing; writes the tables in benchmarks/
	@for name in history differential daily_load attribution decode publish; do .venv/bin/python -m benchmarks.$$name --write || exit 1; done

clean: ## forget the simulated broker and everything loaded from it
	@rm -rf landing truth lake vault published written handover logs .c360

.uv/bin/uv: requirements-uv.txt
	@echo "setting up: package installer" && $(PYTHON) -m venv .uv && .uv/bin/python -m pip install -q --require-hashes -r requirements-uv.txt && touch $@

.venv/.ready: .uv/bin/uv pyproject.toml uv.lock scripts/install_java.sh
	@started=$$(date +%s) && bash scripts/install_java.sh && echo "setting up: locked packages" \
	  && $(UV) sync --frozen --quiet --python $(PYTHON) && echo "setting up: jars" && $(C360) setup \
	  && echo $$(( $$(date +%s) - started )) > $@
