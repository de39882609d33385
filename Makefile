# make demo   set up, and run the main job: learn a kernel from one photograph
# make test   set up, and pass the tests that a change needs; minutes
# make test-all  and the slow ones: compiled kernels, experiments, kills, a browser
# make test-versions  make test with the lowest and the newest PyTorch
# make check  lint, types, docs
# make docs   build the documentation in docs/_build/html
# make site   the same with the demo, which runs in a browser; needs npm
# make dist   the files of a release, in dist/, tried in a new environment
# make bench  time the layer against what people use; bench-check compares, briefly
# make train  train the paper's network on CIFAR-10, or go on with it
# make weights train the network of contconv upscale on, or go on with that; hours
# make record run all experiments anew, hours: most networks are trained for it
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_OPTIONS) \
	-c $(VENV)/constraints.txt
# Another PyTorch than that of constraints.txt, with the Triton that it wants, in an
# environment of its own:
#     make test VENV=.venv-newest TORCH=2.15.0
TORCH ?=
# Such as an index of builds for CPUs: --extra-index-url https://download.pytorch.org/whl/cpu
PIP_OPTIONS ?=

# Two workers of one thread each beat one of two: most tests are small.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto
SHAPES := --jaxtyping-packages="contconv,beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"

.PHONY: browser demo test test-slow test-all test-versions check docs site dist format bench bench-check train weights record clean help

help:
	@grep '^# make' Makefile | cut -c3-

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/constraints.txt: constraints.txt | $(BIN)/python
	sed $(if $(TORCH),-e '/^triton==/d') -e 's/^torch==.*/$(or $(TORCH:%=torch==%),&)/' $< > $@

$(VENV)/.demo: pyproject.toml $(VENV)/constraints.txt
	$(INSTALL) -e '.[experiments]'
	touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/constraints.txt
	$(INSTALL) -e '.[dev]'
	touch $@ $(VENV)/.demo

# The engine in C++, built against the torch that is there; all passes without it.
NATIVE := $(shell git ls-files native 2>/dev/null || find native -type f)

COMPILER := $(shell command -v g++ || command -v clang++ || command -v c++)
WITHOUT := contconv runs on PyTorch's operators alone, which are slower

$(VENV)/.native: $(NATIVE) | $(VENV)/.demo
ifeq ($(COMPILER),)
	@echo "contconv-native was not built, for want of a C++20 compiler: $(WITHOUT)"
else
	@$(INSTALL) 'setuptools>=77' && $(INSTALL) --no-build-isolation --no-deps \
		--force-reinstall ./native || echo "contconv-native was not built: $(WITHOUT)"
endif
	@touch $@

demo: $(VENV)/.demo $(VENV)/.native
	$(BIN)/python -m experiments one_photograph

# The first call checks every shape that the library annotates; graphs cannot be compiled
# through these checks, and errors have to come without them: the second call is as
# users have it. No test runs in both.
test: $(VENV)/.dev $(VENV)/.native
	$(PYTEST) -m "not slow" $(SHAPES)
	$(PYTEST) -m "plain and not slow"

# What `make test` leaves out; and what draws its cases draws ten times as many.
test-slow: $(VENV)/.dev $(VENV)/.native
	$(PYTEST) -m "slow or hypothesis" --hypothesis-profile many $(SHAPES)
	$(PYTEST) -m "plain and slow"

test-all: browser docs test test-slow

# For the pages that are tried in it; they say so where there is none.
browser:
	bash tests/browser/install.sh || echo "pages are NOT TRIED in a browser"

# An environment for each; PyTorch alone differs. See CONTRIBUTING.md.
test-versions:
	$(MAKE) test VENV=.venv-lowest TORCH=2.13.0
	$(MAKE) test VENV=.venv-newest TORCH=2.15.0

check: $(VENV)/.dev docs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

docs: $(VENV)/.dev $(VENV)/.native
	$(BIN)/sphinx-build -W --keep-going -q -n -b html docs docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -q -b doctest docs docs/_build/doctest

# Any file server shows it: `.venv/bin/python -m http.server -d docs/_build/html`.
site: docs
	$(BIN)/python docs/demo/build.py docs/_build/html/demo

# Built, and tried in a new environment; docs/releasing.md says what comes before and after.
dist: $(VENV)/.dev
	$(INSTALL) 'setuptools>=77'
	bash .ci/dist $(BIN)/python

# Overwrites the records and figures of the page on speed; take them on an otherwise
# idle machine. `.venv/bin/python -m benchmarks draw` only draws the figures anew.
bench: $(VENV)/.dev $(VENV)/.native
	$(BIN)/python -m benchmarks

bench-check: $(VENV)/.dev $(VENV)/.native
	$(BIN)/python -m benchmarks --check

train: $(VENV)/.demo
	$(BIN)/python -m training cifar10 --out out/train --resume

WEIGHTS := src/contconv/models/superres/clean.safetensors

# Begins with the weights that ship; a copy of them is kept, for when it goes on.
weights: $(VENV)/.demo
	mkdir -p out
	test -e out/start.safetensors || cp $(WEIGHTS) out/start.safetensors
	OMP_NUM_THREADS=1 $(BIN)/python -m training.superres bsd400 \
		--start out/start.safetensors --batch-size 8 --patch 48 --steps 100000 \
		--epochs 50 --lr 1e-3 --warmup 0.02 --balanced --fourier 1 --ema 0.999 \
		--beyond 0.1 --drawn 0.12 --out out/superres --resume --weights $(WEIGHTS)

# Overwrites the records and figures that are committed, and the table in README.
record: $(VENV)/.dev
	for name in $$($(BIN)/python -m experiments names | cut -d' ' -f1); do \
		$(BIN)/python -m experiments $$name --record || exit 1; done
	$(BIN)/python -m experiments table

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) .venv-lowest .venv-newest out dist docs/_build
