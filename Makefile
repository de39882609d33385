# make demo   set up, and run the main job: learn a kernel from one photograph
# make test   set up, and pass the tests
# make check  lint, types, docs
# make docs   build the documentation in docs/_build/html
# make bench  time the layer against what people use; bench-check compares, briefly
# make train  train the paper's network on CIFAR-10, or go on with it
# make weights train the network of contconv upscale, or go on with it; hours
# make record run all experiments anew; their trained networks are in the repository
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Two workers of one thread each beat one of two: most tests are small.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
SHAPES := --jaxtyping-packages="contconv,beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"

.PHONY: demo test check docs format bench bench-check train weights record clean help

help:
	@grep '^# make' Makefile | cut -c3-

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[experiments]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[dev]'
	touch $@ $(VENV)/.demo

demo: $(VENV)/.demo
	$(BIN)/python -m experiments one_photograph --out out

# The second call is what users have: no shape checks around the library, which compiled
# graphs could not see through.
test: $(VENV)/.dev
	$(PYTEST) -n auto $(SHAPES)
	$(PYTEST) -n auto tests/test_bad_input.py tests/test_house.py \
		tests/test_compile.py tests/test_onnx.py

check: $(VENV)/.dev docs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

docs: $(VENV)/.dev
	$(BIN)/sphinx-build -W --keep-going -q -n -b html docs docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -q -b doctest docs docs/_build/doctest

# Overwrites the records and figures of the page on speed; take them on an otherwise
# idle machine. `.venv/bin/python -m benchmarks draw` only draws the figures anew.
bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

bench-check: $(VENV)/.dev
	$(BIN)/python -m benchmarks --check

train: $(VENV)/.demo
	$(BIN)/python -m training cifar10 --out out/train --resume

weights: $(VENV)/.demo
	$(BIN)/python -m training.superres bsd400 --batch-size 8 --steps 10000 --epochs 10 \
		--out out/superres --resume --weights src/contconv/models/superres/weights.safetensors

# Overwrites the records and figures that are committed, and the table in README.
record: $(VENV)/.dev
	for name in $$($(BIN)/python -m experiments names); do \
		$(BIN)/python -m experiments $$name || exit 1; done
	$(BIN)/python -m experiments table

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) out docs/_build
