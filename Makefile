# Every command of the project. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3.11
BIN := .venv/bin
UV := $(BIN)/uv --quiet
MEMBERS := $(patsubst %/pyproject.toml,%,$(wildcard proto/pyproject.toml libs/*/pyproject.toml services/*/pyproject.toml))
SERVICES := $(patsubst services/%/pyproject.toml,%,$(wildcard services/*/pyproject.toml))
CODE := proto libs services tests
VLLM_ROOM := services/cloud-inference
VLLM_LOCK := $(VLLM_ROOM)/vllm.lock
VLLM_FIND_LINKS = $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
# `make check SETUP=` leaves the environment as it is.
SETUP ?= setup

export CAUSEWAY_MODELS ?= $(CURDIR)/.models
# onnxruntime reports to its maker unless this is set before it is imported.
export ORT_DISABLE_TELEMETRY := 1
# A service imports a thousand modules, and its next start half as long if they stay compiled, whatever is set outside.
export PYTHONDONTWRITEBYTECODE :=
# Two cores run many processes in the tests: each computes on one thread.
TEST_ENVIRONMENT := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 RAYON_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
PYTEST := $(TEST_ENVIRONMENT) $(BIN)/pytest
# Those that take longest begin first.
TEST_FOLDERS := $(wildcard tests/e2e tests/simulation tests/integration tests/contract tests/unit)
SHORT := not slow and not llm and not vllm
# Most of the time of a test with real processes is waiting: more workers than cores.
WORKERS ?= 3

.PHONY: help setup setup-vllm model generator lock lock-vllm schema check format lint types imports schema-check tidy deploy-check test coverage test-slow test-llm test-vllm sim bench demo demo-hub up clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: .venv/.members model ## make .venv from requirements.lock, install the members, build the embedding model
	@true

.venv/.created:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here. On Debian: apt-get install python3.11 python3.11-venv"; \
	  echo "Another interpreter, 3.11 or 3.12: make setup PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) -V); Causeway runs on 3.11 and 3.12. Choose one: make setup PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) can not make virtual environments. On Debian: apt-get install python3.11-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

# uv itself comes out of the lock too, by its hashes. Packages that are no longer in the lock are removed.
.venv/.locked: .venv/.created requirements.lock
	@test -x $(BIN)/uv || { sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.lock && \
	  $(BIN)/python -m pip install --quiet --require-hashes -r .venv/uv.lock; }
	$(UV) pip sync --python $(BIN)/python --require-hashes requirements.lock
	@touch $@

.venv/.members: .venv/.locked $(MEMBERS:%=%/pyproject.toml)
	$(UV) pip install --python $(BIN)/python --no-deps $(MEMBERS:%=-e %)
	@touch $@

# vLLM has an environment of its own: 2.5 GB, with pins that nothing else should have to follow. pip and not uv: it knows
# from its own configuration where the CPU build of torch is.
setup-vllm: .venv-vllm/.locked ## make .venv-vllm: vLLM for CPUs, from services/cloud-inference/vllm.lock
	@true

.venv-vllm/.locked: $(VLLM_LOCK)
	@test -x .venv-vllm/bin/python || $(PYTHON) -m venv .venv-vllm
	@.venv-vllm/bin/python -m pip install --quiet --require-hashes --no-deps -r $(VLLM_LOCK) || { \
	  echo "If pip finds no torch +cpu: name the folder or page that has it by PIP_FIND_LINKS (docs/runbooks/cloud-answers.md)."; \
	  exit 1; }
	@touch $@

model: .venv/.members ## build or check the embedding model in $CAUSEWAY_MODELS
	@$(BIN)/python -m causeway.models ensure embedding

generator: .venv/.members ## fetch or check the small generator model (470 MB) in $CAUSEWAY_MODELS
	@$(BIN)/python -m causeway.models fetch generator >/dev/null

lock: .venv/.members ## resolve the dependencies again and write the locks (hashed, without hosts)
	@mkdir -p deploy/requirements
	$(UV) lock --python $(BIN)/python
	@export_to() { $(UV) export --frozen --no-emit-workspace --no-header --no-annotate "$${@:2}" --output-file $$1.new >/dev/null; \
	  { $(BIN)/python -m tests.tidy.lock_inputs; cat $$1.new; } > $$1; rm $$1.new; }; \
	export_to requirements.lock --all-packages --all-groups; \
	for service in $(SERVICES); do \
	  export_to deploy/requirements/$$service.lock --package causeway-$$service --no-default-groups; done

lock-vllm: .venv/.members ## resolve vLLM's own dependencies again and write their lock
	$(UV) pip compile --python-version 3.11 $(addprefix --find-links ,$(VLLM_FIND_LINKS)) --generate-hashes --no-header \
	  --no-annotate --override $(VLLM_ROOM)/vllm-overrides.txt $(VLLM_ROOM)/vllm.in --output-file $(VLLM_LOCK).new >/dev/null
	@{ $(BIN)/python -m tests.tidy.vllm_inputs; cat $(VLLM_LOCK).new; } > $(VLLM_LOCK); rm $(VLLM_LOCK).new

schema: .venv/.members ## write proto/schema, proto/asyncapi.json and missing golden bytes
	$(BIN)/python -m causeway.proto.export

check: $(SETUP) format lint types imports schema-check deploy-check tidy ## format, lint, types, import contracts, schemas, deploy files, style

format:
	$(BIN)/ruff format --check $(CODE)

lint:
	$(BIN)/ruff check --quiet $(CODE)

types:
	$(BIN)/mypy $(CODE)

imports:
	$(BIN)/lint-imports --no-logo --no-cache

schema-check:
	$(BIN)/python -m causeway.proto.export --check

deploy-check:
	$(BIN)/hadolint --config deploy/hadolint.yaml deploy/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/kubernetes-validate --strict --quiet $(filter-out %/kustomization.yaml,$(wildcard deploy/k8s/*.yaml deploy/k8s-engine/*.yaml))
	@CAUSEWAY_SITE=local CAUSEWAY_STORAGE_KEY=k0 CAUSEWAY_NATS_PASSWORD=k0 CAUSEWAY_LINK_PASSWORD=k0 $(BIN)/nats-server -t -c deploy/nats/nats-server.conf

tidy:
	$(PYTEST) -q tests/tidy

test: $(SETUP) ## unit, contract, integration, simulation and short end-to-end tests
	$(PYTEST) -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TEST_FOLDERS) -m "$(SHORT)" --durations=10

coverage: $(SETUP) ## which lines the unit and contract tests never run
	$(PYTEST) -n $(WORKERS) --dist loadfile tests/contract tests/unit -m "$(SHORT)" --cov --cov-report=term:skip-covered

test-slow: $(SETUP) ## the long tests: kills at random moments, large documents, long runs
	$(PYTEST) $(TEST_FOLDERS) -m "slow and not llm and not vllm" --durations=10 || test $$? = 5

test-llm: $(SETUP) ## the tests that need a generator model
	$(PYTEST) $(TEST_FOLDERS) -m llm || test $$? = 5

test-vllm: $(SETUP) ## the tests that start a real vLLM (after make setup-vllm)
	$(PYTEST) $(TEST_FOLDERS) -m vllm --durations=10 || test $$? = 5

sim: $(SETUP) ## replay one seed of the simulator with its trace: make sim SEED=7 [STEPS=1500]
	@$(BIN)/python -m tests.simulation --seed $(or $(SEED),0) $(if $(STEPS),--steps $(STEPS))

faults: $(SETUP) ## cuts and SIGKILLs of real processes while two sites write: make faults SEED=1 REVISIONS=10000 FAULTS=50
	@$(TEST_ENVIRONMENT) $(BIN)/python -m tests.faults --seed $(or $(SEED),1) --revisions $(or $(REVISIONS),10000) --faults $(or $(FAULTS),50)

bench: $(SETUP) ## latency, throughput and memory beside their bare parts, as ratios
	@$(BIN)/python -m tests.bench

demo: $(SETUP) ## start a site, publish the bundled documents, ask in two languages, cut the network, ask again
	@$(BIN)/causeway demo

demo-hub: $(SETUP) ## a hub and two sites: cut the links, edit and ask on both sides, heal, show what was replayed and all four routes of an answer
	@$(MAKE) generator || echo "Without that model two of the four routes can be shown."
	@$(BIN)/causeway demo-hub

up: $(SETUP) ## start a site and keep it running; Ctrl-C stops all of it
	@$(BIN)/causeway up site

clean: ## remove .venv, caches and reports; models and site folders stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* htmlcov build dist
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
