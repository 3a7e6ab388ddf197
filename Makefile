# Everything a fresh machine needs is Python (3.11 or later) and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: reproduce figures ledger test test-long fuzz jax-versions bench check wheel clean

reproduce: $(READY)
	$(BIN)/crossfeed reproduce --out results/reproduce

figures: $(READY)
	$(BIN)/crossfeed figures --out results/figures

ledger: $(READY)
	$(BIN)/crossfeed verify ledger --out results
	cp results/ledger.md docs/ledger.md

TESTS := not long
test: $(READY)
	$(BIN)/python -m pytest -m "$(TESTS)"

# What takes tens of seconds each: runs of language models that are killed and resumed, the gallery, workflows by simulation.
test-long:
	$(MAKE) test TESTS=long

# Damaged input for every reader of files, 10,000 cases each (hours): CASES=1000 makes it fewer, READERS=store names some.
CASES := 10000
fuzz: $(READY)
	cd tests && ../$(BIN)/python -m fuzz --cases $(CASES) $(READERS)

# Theory and simulation on every supported JAX that this Python can install, each in an environment of its own.
jax-versions: $(READY)
	for version in 0.9 0.11 0.12; do \
	  $(PYTHON) -m venv build/jax-$$version && \
	  build/jax-$$version/bin/python -m pip install --quiet --upgrade 'pip>=25.1' && \
	  if build/jax-$$version/bin/python -m pip install --quiet --only-binary :all: -e '.[all]' --group test "jax==$$version.*"; then \
	    build/jax-$$version/bin/python -m pytest -q tests/theory tests/sim || exit 1; \
	  else echo "no JAX $$version for this Python"; fi; \
	done

bench: $(READY)
	$(BIN)/python benchmarks/run.py

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python .ci/link_tree.py
	cd build/tree && ../../$(BIN)/lint-imports ../../pyproject.toml
	$(BIN)/basedpyright

wheel: $(READY)
	$(BIN)/python .ci/wheel_check.py

$(READY): pyproject.toml constraints.txt constraints-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet -c constraints.txt -c constraints-dev.txt -e '.[all]' --group test --group check
	touch $@

clean:
	rm -rf $(VENV) build dist results *.egg-info
