# Each target works on a fresh clone with nothing done before.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: install demo test check bench clean

install: $(READY)

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $(READY)

demo: install
	@$(BIN)/cachestorm demo

# Twice where it matters: as somebody whom permission bits stop, then, for root, the tests that need to start as root.
test: install
	$(BIN)/python tests/side_by_side.py
	@if [ "$$(id -u)" = 0 ]; then CACHESTORM_TEST_AS_ROOT=1 $(BIN)/python -m pytest -m root; fi

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit/test_tidy.py

bench: install
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
