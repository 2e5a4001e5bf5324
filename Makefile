# Everything a checkout can do. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := site
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EVIDENCE := build/evidence.json
ROUNDING := build/rounding.json
ATLAS := build/atlas.json
SITE := site
# More arguments for pytest: make test ARGS="-k softmax -x"
ARGS ?=
# How long make fuzz goes on.
SECONDS ?= 60
# Tests run in as many processes as there are cores; those of one file share much work and stay
# together. Files come in the order that tests/conftest.py gives them, the longest first.
TOGETHER := --numprocesses auto --dist loadfile --no-loadscope-reorder
# The release that `make constraints` pins; every other package takes the newest that fits.
TORCH := 2.13.0

SITE_EXTRAS := torch,mkdocs
TEST_EXTRAS := torch,mkdocs,test
LINT_EXTRAS := torch,mkdocs,lint
ALL_EXTRAS := torch,mkdocs,test,lint

# Material for MkDocs prints a notice about MkDocs 2 at every build; mkdocs<2 is pinned.
export NO_MKDOCS_2_WARNING := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Most tensors of the tests are tiny: for them threads cost more than they bring.
test third-party coverage: export OMP_NUM_THREADS := 1

# Of pip's output, only the large downloads are shown: they are what takes long.
install = echo "Installing the pinned packages for [$(1)] into $(VENV)"; \
	$(BIN)/python -m pip install --constraint constraints.txt --editable ".[$(1)]" \
	| { grep --line-buffered -E '^ *Downloading .*([0-9]{2}\.[0-9] MB|GB)' || true; }

.PHONY: site
site: $(VENV)/.katex $(EVIDENCE) $(ATLAS) $(ROUNDING) ## derive and check everything that has changed, build the site, print a summary (default)
	$(BIN)/mkdocs build --strict --site-dir $(SITE)
	@$(BIN)/python -m derive.publish.summary $(EVIDENCE) $(SITE)

# MkDocs 1.6 reloads with recent releases of click only when told to.
.PHONY: serve
serve: $(VENV)/.katex $(EVIDENCE) $(ATLAS) $(ROUNDING) ## show the site with live reload
	$(BIN)/mkdocs serve --strict --livereload

# Evidence is about the code that is there: it is found anew when that or a library has changed.
CHECKED_CODE := $(shell find derive numeric -name '*.py' -not -path '*/publish/*') $(wildcard derive/sentences/*)

$(EVIDENCE): $(CHECKED_CODE) $(VENV)/.site
	@mkdir -p $(dir $@)
	$(BIN)/derive check --all --quiet --evidence $@

# Of the atlas, only what a change concerns is checked again: the earlier evidence is read first.
.PRECIOUS: $(ATLAS)
$(ATLAS): $(CHECKED_CODE) $(VENV)/.site
	@mkdir -p $(dir $@)
	$(BIN)/derive atlas --quiet --output $@
	@touch $@

$(ROUNDING): $(CHECKED_CODE) $(VENV)/.site
	@mkdir -p $(dir $@)
	$(BIN)/derive measure --output $@

.PHONY: test
test: $(VENV)/.katex $(VENV)/.test $(EVIDENCE) $(ATLAS) $(ROUNDING) ## run the tests, those of the part that answers in a browser included
	$(BIN)/pytest $(TOGETHER) $(ARGS)

.PHONY: third-party
third-party: $(VENV)/.katex $(VENV)/.third-party $(EVIDENCE) $(ATLAS) $(ROUNDING) ## prove other people's attention modules, and run the tests that take long: the whole site in a browser
	$(BIN)/pytest -m "third_party or slow" $(TOGETHER) $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.katex $(VENV)/.test ## try what strangers may write: make fuzz SECONDS=600
	$(BIN)/python -m tests.hostile.fuzz --seconds $(SECONDS)

.PHONY: coverage
coverage: $(VENV)/.katex $(VENV)/.test ## run the tests and report which lines they reach
	@mkdir -p build/coverage
	$(BIN)/pytest --cov --cov-report=term --cov-report=html $(ARGS)

.PHONY: bench
bench: $(VENV)/.katex $(VENV)/.test ## run the benchmarks
	$(BIN)/pytest tests/bench --benchmark-only $(ARGS)

.PHONY: lint
lint: $(VENV)/.lint ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy derive numeric

.PHONY: format
format: $(VENV)/.lint ## put the code into the house format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: constraints
constraints: ## write constraints.txt anew from the newest releases that fit
	@mkdir -p build
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet "torch==$(TORCH)" ".[$(ALL_EXTRAS)]"
	{ sed -n '/^#/p' constraints.txt; \
	  build/constraints/bin/python -m pip freeze --all \
	  | grep -viE '^(pip|wheel|attention-derived|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)( @|==)' \
	  | sed -E 's/^(torch==[0-9.]+)\+.*/\1/' | sort -f; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/constraints

.PHONY: clean
clean: ## remove what was built; the environment stays
	rm -rf build dist $(SITE) .benchmarks .cache .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find derive numeric tests -type d -name __pycache__ -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## remove what was built and the environment
	rm -rf $(VENV)

.PHONY: help
help: ## show this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

$(VENV)/.made:
	@command -v $(PYTHON) > /dev/null || { \
		echo "No $(PYTHON) here. Install Python 3.11 or later, or say: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); attention-derived needs Python 3.11 or later." \
		"Say which one to use: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) cannot make a virtual environment. On Debian: apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.site: $(VENV)/.made pyproject.toml constraints.txt
	@$(call install,$(SITE_EXTRAS))
	@touch $@

$(VENV)/.test: $(VENV)/.site
	@$(call install,$(TEST_EXTRAS))
	@touch $@

$(VENV)/.third-party: $(VENV)/.test $(wildcard tests/third_party/requirements*.txt)
	@echo "Installing the pinned packages of tests/third_party"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt \
		--requirement tests/third_party/requirements.txt
	@$(BIN)/python -m pip install --quiet --no-deps \
		--requirement tests/third_party/requirements-no-deps.txt
	@touch $@

$(VENV)/.lint: $(VENV)/.site
	@$(call install,$(LINT_EXTRAS))
	@touch $@

$(VENV)/.katex: $(VENV)/.site derive/publish/katex_package.py
	@$(BIN)/python -m derive.publish.katex
	@touch $@
