# make demo: set up and run the whole job on the built-in corpus. make test: set up and pass the tests.
PYTHON ?= python3
BIN := .venv/bin
READY := .make/ready
RUN ?= demo

.PHONY: demo test corpora lint bench clean
demo: $(READY)
	$(BIN)/avterm demo $(RUN)

test: $(READY)
	$(BIN)/python -m pytest -n auto -m "not corpora" tests

corpora: $(READY)
	$(BIN)/python -m pytest -m corpora tests

lint: $(READY)
	$(BIN)/ruff format --check avterm kernels tests
	$(BIN)/ruff check avterm kernels tests
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m tests.benchmarks

# torch comes first, at the tested version: a bare range would take a build for GPUs, of several GB.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "avterm needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	mkdir -p .make
	touch $(READY)

clean:
	rm -rf .venv .make demo
