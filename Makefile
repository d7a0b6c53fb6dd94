# make demo    train on packaged images, score, show the masks     make test      the quick tests
# make setup   the environment alone                                make test-all  the slow ones too
# make check   lint, types, architecture                            make bench     what the networks cost

.PHONY: setup demo test test-all check bench results clean
.DEFAULT_GOAL := setup

PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && command -v $$p && break; done)
BIN := .venv/bin
export OMP_WAIT_POLICY ?= PASSIVE
# Empty is unset: what was compiled once is kept, so that every start is quicker.
export PYTHONDONTWRITEBYTECODE :=
export PIP_DISABLE_PIP_VERSION_CHECK := 1
PYTEST := $(BIN)/python -m pytest --jaxtyping-packages=onenet,beartype.beartype

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer (with venv) was not found; install it, or run make PYTHON=path/to/python3"; exit 2; }
	@echo "setting up .venv with $(PYTHON); the first time takes a minute or more"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	@touch .venv/.ready

demo: setup
	@$(BIN)/onenet demo
	@echo "        (onenet is $(BIN)/onenet; for the bare word, once: source $(BIN)/activate)"

test: setup
	OMP_NUM_THREADS=1 $(PYTEST) -n 2 -m "not slow"

test-all: test
	$(PYTEST) -m slow

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py

bench: setup
	$(BIN)/onenet bench table2
	$(BIN)/onenet bench train

results: setup
	$(BIN)/python docs/results/generate.py

clean:
	rm -rf .venv build dist *.egg-info
