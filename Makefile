# Everything a fresh machine needs is Python (3.11 or later) and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: reproduce figures ledger test bench check wheel clean

reproduce: $(READY)
	$(BIN)/crossfeed reproduce --out results/reproduce

figures: $(READY)
	$(BIN)/crossfeed figures --out results/figures

ledger: $(READY)
	$(BIN)/crossfeed verify ledger --out results
	cp results/ledger.md docs/ledger.md

test: $(READY)
	$(BIN)/python -m pytest

bench: $(READY)
	$(BIN)/python benchmarks/run.py

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python .ci/link_tree.py
	cd build/tree && ../../$(BIN)/lint-imports ../../pyproject.toml
	$(BIN)/basedpyright

wheel: $(READY)
	sh .ci/wheel_check $(BIN)/python

$(READY): pyproject.toml constraints.txt constraints-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet -c constraints.txt -c constraints-dev.txt -e '.[all]' --group test --group check
	touch $@

clean:
	rm -rf $(VENV) build dist results *.egg-info
