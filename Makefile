# Two commands: `make demo` trains, streams and reports on real recordings; `make test` checks it all.
# Everything goes into .venv; needs python3 (3.11 or later), venv and, for the native kernels, g++.

PYTHON ?= python3
VENV   ?= .venv
# One exact release, so that the CPU wheel is what gets installed wherever it is offered.
TORCH  ?= torch==2.13.0
RUN    := $(VENV)/bin

.PHONY: demo test lint sanitize docs clean

$(RUN)/python:
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --upgrade pip

$(VENV)/.torch: | $(RUN)/python
	$(RUN)/pip install --quiet "$(TORCH)"
	touch $@

$(VENV)/.package: pyproject.toml CMakeLists.txt $(wildcard src/resolvent/kernels/native/*) | $(VENV)/.torch
	$(RUN)/pip install --quiet --editable ".[data,dev,docs]"
	touch $@

demo: $(VENV)/.package  ## smart-watch recordings: train, compare, stream, report
	$(RUN)/pip install --quiet --no-deps seglearn==1.2.5
	$(RUN)/python examples/demo.py

test: $(VENV)/.package  ## the whole test suite, a worker a core and a thread a worker
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/.package  ## format, lint, types, import layers
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/pyright --pythonpath $(RUN)/python
	$(RUN)/lint-imports

sanitize: $(VENV)/.package  ## the kernels' tests under the address, undefined and thread sanitizers
	$(RUN)/python tests/sanitize.py all

docs: $(VENV)/.package  ## the site, into site/
	$(RUN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build site
