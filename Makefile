# `make` lists the targets. Each installs what it needs; PYTHON names the Python that .venv is made with.
.DEFAULT_GOAL := help
.PHONY: help setup lock run test test-faults test-compose lab bench soak lint strip docs handin clean distclean
PYTHON ?= python3
BIN := .venv/bin
NOTEBOOKS := $(wildcard *.ipynb)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what is missing: virtual environment, locked requirements, Java
	@PYTHON="$(PYTHON)" sh tools/setup.sh

lock: setup ## Renew requirements*.txt from requirements*.in; UPGRADE=1: with the newest versions. Needs the network
	$(BIN)/python -m tools.lock $(if $(UPGRADE),--upgrade)

run: setup ## Run everything once: data, model, broker, the three notebooks at the same time, reconciliation
	$(BIN)/python -m fraudstream run

test: lint ## Lint, then run the tests, two files at a time
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-faults: setup ## Run the long tests: the browser, clusters, damaged files, a Kafka that takes another's port, notebooks that are killed
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m faults

test-compose: setup ## Test docker compose up, with the cluster: needs a Docker engine, root and some minutes
	FRAUDSTREAM_TEST_COMPOSE=1 $(BIN)/python -m pytest tests/run/test_compose.py

lab: setup ## Start the broker and JupyterLab on 127.0.0.1 with the three notebooks; Ctrl-C ends both
	$(BIN)/python -m fraudstream lab

bench: setup ## Run a benchmark, PART=latency or PART=catchup: a table, a plot, and both in docs/benchmarks
	$(BIN)/python -m benchmarks $(PART)

soak: setup ## Run the live pipeline under random faults for MINUTES=20 and account for everything sent; results in output/soak
	$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),20)

lint: setup ## Check code, notebooks and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	@$(BIN)/nbstripout --verify --keep-id $(NOTEBOOKS) || \
		{ echo "The notebooks hold outputs, as after a session in JupyterLab. To clear them: make strip" >&2; exit 1; }

strip: setup ## Clear the notebooks' outputs, which a session in JupyterLab leaves
	$(BIN)/nbstripout --keep-id $(NOTEBOOKS)

docs: setup ## Regenerate the reference documents from the code, docs/executed and pictures from a run of 120 batches
	$(BIN)/python -m tools.reference
	$(BIN)/python -m tools.docs

handin: setup ## Run everything and write output/handin.zip: executed notebooks, HTML, chart, summary
	$(BIN)/python -m fraudstream handin

clean: ## Remove results, generated data and the trained model; your own files stay
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m tools.clean; fi
	rm -rf .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean ## Like clean, and remove the downloads: .venv and .cache
	rm -rf .venv .cache
