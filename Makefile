# Everything needs Python 3.11 or later and pip, nothing else. `make PYTHON=python3.12 train` picks an interpreter.

PYTHON ?= python3
ARGS ?=
MINUTES ?= 10
SLOW ?=
COVERAGE ?=

VENV := .venv
BIN := $(VENV)/bin
KEPT := PYTHONDONTWRITEBYTECODE= # tests start many processes, and each would compile all anew
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help train test mutants torture map completions bench-gpu release docs lint clean

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

train: $(VENV)/.installed ## install, then train Level 2 for ten minutes at most; MINUTES=30, ARGS="--seed 3" adds flags
	$(BIN)/python -m townlet.train --level 2 --minutes $(MINUTES) $(ARGS)

test: $(VENV)/.installed-dev ## install, then run the quick tests; SLOW=1 adds the slow ones, COVERAGE=1 says which lines they reach
	$(KEPT) $(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile $(if $(COVERAGE),--cov --cov-report=term) $(ARGS)
ifeq ($(SLOW),1)
	$(KEPT) $(BIN)/python -m pytest -m slow $(ARGS) || [ $$? -eq 5 ] # 5: no test is slow
endif

mutants: $(VENV)/.installed-dev ## install, then make each known mistake in a copy and see a test fail; ARGS="--only NAME"
	OMP_NUM_THREADS=1 $(BIN)/python tests/mutants.py $(ARGS)

torture: $(VENV)/.installed-dev ## install, then kill, starve and damage trainings for an hour; ARGS="--minutes 2"
	PYTHONPATH=tests $(BIN)/python -m torture $(ARGS)

map: $(VENV)/.installed-dev ## install, then draw the rooms of the source into docs/architecture
	$(BIN)/python tests/house_map.py

completions: $(VENV)/.installed-dev ## install, then write what completes a command line in a shell, from the parsers
	$(BIN)/python tests/completions.py

bench-gpu: $(VENV)/.installed ## install, then measure on a CUDA device, into docs/results
	$(BIN)/python -m townlet.bench gpu --out docs/results $(ARGS)

release: $(VENV)/.installed-dev ## install, then build wheel and sdist into dist, look into both, and train from the wheel
	$(BIN)/python tests/release.py

docs: $(VENV)/.installed-docs ## install, then build docs/ as a site into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict $(ARGS)
	@echo "The site is build/site/index.html; its search needs a server: $(BIN)/python -m http.server -d build/site"

lint: $(VENV)/.installed-dev ## check style and types
	$(BIN)/ruff check .
	$(BIN)/mypy

clean: ## delete the environment, caches and builds; runs/ stays
	rm -rf $(VENV) build dist htmlcov .coverage .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Townlet needs Python 3.11 or later, got %d.%d: try make PYTHON=python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Townlet and PyTorch into $(VENV); the first time takes some minutes."
	$(INSTALL) -e '.[tensorboard]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Townlet, PyTorch and the development tools into $(VENV); the first time takes some minutes."
	$(INSTALL) -e '.[dev,tensorboard]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Townlet, PyTorch and what builds the site into $(VENV); the first time takes some minutes."
	$(INSTALL) -e '.[docs]'
	@touch $@
