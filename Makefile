# The commands of Gateway 112. `make` alone lists them.
# `run`, `test`, `bench` and `chaos` first make the machine ready (setup/); on a ready machine that takes a moment and needs no network.

.DEFAULT_GOAL := help
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory

# Two makes at once take turns.
ONE_AT_A_TIME := mkdir -p var && flock var/setup.lock

.PHONY: help
help: ## list these commands
	@echo "Gateway 112"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: setup ## set up what is missing, then start Asterisk and the gateway (Ctrl-C stops both)
	@exec .venv/bin/gateway112 run

# In three processes: the tests wait most of their time (tests/conftest.py says which of them stay together).
.PHONY: test
test: setup ## set up what is missing, then run all tests
	@$(ONE_AT_A_TIME) bash -c 'setup/packages.sh test && setup/seaweedfs.sh && setup/prometheus.sh'
	@exec .venv/bin/python -m pytest -n 3 --no-loadscope-reorder $(ARGS)

.PHONY: check
check: venv ## look at the code: format, lint, types, layers, shell scripts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	@if command -v shellcheck >/dev/null; then set -x; shellcheck --external-sources setup/*.sh setup/systemd/*.sh .ci/run; \
	else echo "shellcheck is not installed: shell scripts not checked"; fi

.PHONY: bench
bench: setup ## measure the centre beside plain Asterisk
	@exec .venv/bin/python -m bench $(ARGS)

.PHONY: chaos
chaos: setup ## break a centre on purpose for an hour and count whether a call was lost (ARGS="--minutes 5")
	@$(ONE_AT_A_TIME) bash -c 'setup/packages.sh test'
	@exec .venv/bin/python -m chaos $(ARGS)

.PHONY: setup
setup: ## only make the machine ready: packages, .venv, Asterisk, prompts
	@$(ONE_AT_A_TIME) bash -c 'for step in packages venv asterisk prompts; do "setup/$$step.sh" || exit; done'

.PHONY: venv
venv:
	@$(ONE_AT_A_TIME) bash -c 'for step in packages venv; do "setup/$$step.sh" || exit; done'

.PHONY: lock
lock: ## write requirements.lock anew from pyproject.toml (ARGS=--upgrade for newer versions)
	@setup/lock.sh $(ARGS)

.PHONY: fuzz
fuzz: setup ## try what reads others' bytes with atheris, 60 s each (ARGS="600 journal": longer, one)
	@setup/fuzz.sh $(ARGS)

.PHONY: audit
audit: setup ## ask PyPI and OSV for known weaknesses of the packages in requirements.lock
	@setup/audit.sh

.PHONY: sbom
sbom: setup ## write the software bill of materials (CycloneDX) to var/sbom.cdx.json
	@.venv/bin/python setup/sbom.py >var/sbom.cdx.json && echo "var/sbom.cdx.json"

.PHONY: clean
clean: ## remove var/ (with its call history), .venv and caches; never recordings/
	@setup/clean.sh
