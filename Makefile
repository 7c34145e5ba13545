# Everything a person types. Each target makes what it needs and is missing, and says so in one line.
# Variables: KAFKA=host:port REDIS=host:port MODE=real|embedded PORT=8080, and every LEAF_... setting of the README.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
LEAF := .venv/bin/leaf
RUN_PACKAGES := redis-server nginx openjdk-17-jre-headless maven
TEST_PACKAGES := $(RUN_PACKAGES) chromium
# With it every process compiles all that it imports: seconds at each start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: .venv/run.stamp ## Start everything and print the address to open; Ctrl-C stops it
	@if [ "$${MODE:-}" != embedded ]; then ops/install.sh $(RUN_PACKAGES) || true; fi
	@exec $(LEAF) up

.PHONY: test
test: .venv/dev.stamp ## Run every test, three files at a time, a short chaos run included (ARGS= goes to pytest)
	@ops/install.sh $(TEST_PACKAGES)
	@.venv/bin/python -m pytest --numprocesses 3 --dist loadfile $(ARGS)

.PHONY: mutations
mutations: .venv/dev.stamp ## Upload 20,000 damaged image files: none may be answered 5xx or fail later (FILES=)
	@LEAF_MUTATIONS=$(or $(FILES),20000) .venv/bin/python -m pytest -q tests/producer_api/uploads/test_mutations.py

.PHONY: lint
lint: .venv/dev.stamp ## Check style and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy --strict schemas producer_api stream_workers result_sink training ops benchmarks

.PHONY: doctor
doctor: .venv/run.stamp ## Say what works, what does not, and what to do
	@$(LEAF) doctor

.PHONY: train
train: .venv/dev.stamp ## Train both classifiers on ../shared/leaves and export them to models/
	@.venv/bin/python -m training all $(ARGS)

.PHONY: bench
bench: .venv/dev.stamp ## Measure throughput and latency
	@ops/install.sh $(RUN_PACKAGES)
	@.venv/bin/python -m benchmarks $(ARGS)

.PHONY: chaos
chaos: .venv/dev.stamp ## Kill everything while photographs flow, then count (IMAGES= KILLS= DURATION= SEED=)
	@ops/install.sh $(RUN_PACKAGES)
	@.venv/bin/python -m ops.chaos $(ARGS)

.PHONY: schemas
schemas: .venv/dev.stamp ## Write the JSON Schemas and asyncapi.yaml from the code
	@.venv/bin/python -m schemas.documents

UV_LOCK = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: lock
lock: | .venv/bin/uv ## Resolve the dependencies again: a lock file for each image, two for this machine
	@echo "resolving locks/dev.txt"
	@$(UV_LOCK) --upgrade --extra dev pyproject.toml --output-file locks/dev.txt
	@for extras in api worker-openvino worker-tensorflow sink run; do \
		echo "resolving locks/$$extras.txt"; \
		$(UV_LOCK) --upgrade --constraint locks/dev.txt --extra $${extras/-/ --extra } pyproject.toml \
			--output-file locks/$$extras.txt; \
	done

.PHONY: clean
clean: ## Remove the virtual environment and everything a stack wrote (events, results, logs)
	@rm -rf .venv var

# One environment, two sizes: the development lock contains the one for running.
.venv/bin/uv:
	@echo "making .venv, for the project's Python packages"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/it" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "Install Python's venv module (Debian: apt-get install python3-venv)." >&2; exit 1; }
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check uv

.venv/run.stamp: locks/run.txt pyproject.toml | .venv/bin/uv
	@echo "installing what running needs (locks/run.txt)"
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r locks/run.txt
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
	@touch $@

.venv/dev.stamp: locks/dev.txt pyproject.toml | .venv/bin/uv
	@echo "installing what developing needs (locks/dev.txt)"
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r locks/dev.txt
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
	@touch .venv/run.stamp $@
