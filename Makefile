# `make` lists the targets. Each sets up what it needs; PYTHON names the Python that .venv is made with.
.DEFAULT_GOAL := help
.PHONY: help setup lock run test test-compose lab bench lint strip docs handin clean distclean
PYTHON ?= python3
BIN := .venv/bin
NOTEBOOKS := $(wildcard *.ipynb)

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Virtual environment, locked requirements, Java; does only what is missing
	@PYTHON="$(PYTHON)" sh tools/setup.sh

lock: setup ## requirements*.txt from requirements*.in; UPGRADE=1: with the newest that fit. Needs the network
	$(BIN)/python -m tools.lock $(if $(UPGRADE),--upgrade)

run: setup ## Data, model, broker, all three notebooks at once, and the account of it
	$(BIN)/python -m fraudstream run

test: lint ## Lint, then all tests, two files at once
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-compose: setup ## docker compose up for real, the cluster too: needs a Docker engine, root, some minutes
	FRAUDSTREAM_TEST_COMPOSE=1 $(BIN)/python -m pytest tests/run/test_compose.py

lab: setup ## The broker and JupyterLab on 127.0.0.1 with the three notebooks; Ctrl-C ends both
	$(BIN)/python -m fraudstream lab

bench: setup ## Seconds from ts to prediction over 300 batches; results in output/bench
	FRAUDSTREAM_OUTPUT_DIR=output/bench $(BIN)/python -m fraudstream run --batches 300

lint: setup ## Code, notebooks and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	@$(BIN)/nbstripout --verify --keep-id $(NOTEBOOKS) || \
		{ echo "The notebooks hold outputs, as after a session in JupyterLab. To clear them: make strip" >&2; exit 1; }

strip: setup ## Clear the notebooks' outputs, which a session in JupyterLab leaves
	$(BIN)/nbstripout --keep-id $(NOTEBOOKS)

docs: setup ## README's settings and commands from the code; docs/executed, its pictures from a run of 90 batches
	$(BIN)/python -m tools.readme
	$(BIN)/python -m tools.docs

handin: setup ## Run everything and leave output/handin.zip: executed notebooks, HTML, chart, summary
	$(BIN)/python -m fraudstream handin

clean: ## Remove results, generated data and the trained model; what you put there stays
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m tools.clean; fi
	rm -rf .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean ## The same, and the downloads: .venv and .cache
	rm -rf .venv .cache
