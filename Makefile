# Each target does its own set-up: Python 3.11 or newer and make are enough. The second run is quick.
# PORT=8080 make demo    another port          PYTHON=/path/to/python make test    another interpreter

PORT ?= 8000
# Files of tests that are run at a time.
JOBS ?= auto
# The first of these that runs and is new enough; named here so that the choice can be overruled.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)

# Some images switch off the cache of compiled code: each of the many processes of the tests would compile all of it.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
CODE := core plugins contrib tests benchmarks

.PHONY: help demo test slow fault fuzz bench lint ruff mypy pyright imports audit docs surface constraints dist clean

help:
	@echo 'make demo         serve the demo shop behind Narthex on 127.0.0.1:8000 (PORT= changes the port)'
	@echo 'make test         run the tests (ARGS= goes to pytest)'
	@echo 'make slow         run the tests that make test leaves out'
	@echo 'make fault        kill and starve the store at every storage call; some minutes (needs strace, Linux)'
	@echo 'make fuzz         1,000,000 random exchanges; some minutes (SEED= COUNT=, ARGS="--replay SEED:N" plays one again)'
	@echo 'make bench        measure what each plugin costs, beside its peers (ARGS= goes to the benchmarks)'
	@echo 'make lint         ruff, mypy, pyright, import-linter, pip-audit'
	@echo 'make docs         write the generated reference pages'
	@echo 'make surface      record the public surface, after a change of it that is meant'
	@echo 'make constraints  pin what the package index offers today'
	@echo 'make dist         build the sdist, and the wheel from it'
	@echo 'make clean        remove everything that was made'

demo: $(VENV)/.demo
	@# With a terminal the demo gets a process group of its own, so that Ctrl-C ends it and not make.
	@if [ -t 0 ]; then set -m; fi; $(BIN)/narthex demo --port $(PORT); status=$$?; [ $$status -eq 130 ] || exit $$status

# All of them side by side, but for those that starve, kill and time processes. With ARGS just what they say.
test: $(VENV)/.test
ifeq ($(ARGS),)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --ignore tests/fault
	$(BIN)/python -m pytest tests/fault
else
	$(BIN)/python -m pytest $(ARGS)
endif

# What shows little that the sample in `make test` does not: other servers, numbers of workers and databases.
slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow -n $(JOBS) --dist loadfile $(ARGS)

# Of this `make test` runs a sample.
fault: $(VENV)/.test
	FAULT=full $(BIN)/python -m pytest tests/fault $(ARGS)

# Of this `make test` runs a sample.
fuzz: $(VENV)/.test
	$(BIN)/python -m tests.fuzz $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT)) $(ARGS)

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks $(ARGS)

# `make -j2 lint` has two of them at a time.
lint: ruff mypy pyright imports audit

ruff: $(VENV)/.lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check

mypy: $(VENV)/.lint
	$(BIN)/mypy

pyright: $(VENV)/.lint
	$(BIN)/pyright

imports: $(VENV)/.lint
	$(BIN)/lint-imports

# Known vulnerabilities among the pinned packages. A finding fails; an advisory service out of reach does not,
# or nobody could work offline: it says so, and CI elsewhere will look again.
audit: $(VENV)/.lint
	@$(BIN)/python .ci/audit.py constraints.txt

# The reference pages that are generated from the code.
docs: $(VENV)/.test
	$(BIN)/python -m narthex.config.reference example > $(VENV)/page && mv $(VENV)/page narthex.example.toml
	$(BIN)/python -m narthex.config.reference configuration > $(VENV)/page && mv $(VENV)/page docs/reference/configuration.md
	$(BIN)/python -m narthex.config.reference api > $(VENV)/page && mv $(VENV)/page docs/reference/api.md
	$(BIN)/python -m narthex_contrib.secretscan.reference > $(VENV)/page && mv $(VENV)/page docs/reference/secret-types.md

# The public surface, after a change of it that is meant; docs/reference/stability.md says what that asks of the version.
surface: $(VENV)/.test
	$(BIN)/python -m tests.contract.surface > $(VENV)/page && mv $(VENV)/page tests/contract/surface.txt

dist: $(VENV)/.lint
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

# New pins: whatever the package index offers today, for every extra, from an empty environment.
constraints: $(VENV)/.made
	rm -rf $(VENV)-pins
	$(BIN)/python -m venv $(VENV)-pins
	$(VENV)-pins/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(VENV)-pins/bin/python -m pip install --quiet --editable '.[demo,test,lint,bench]'
	{ echo '# Pins of every extra, written by `make constraints`; CI and `make` install exactly these.'; \
	  $(VENV)-pins/bin/python -m pip freeze --exclude-editable | LC_ALL=C sort -f; } > constraints.txt
	rm -rf $(VENV)-pins

clean:
	rm -rf $(VENV) $(VENV)-pins dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "make: Narthex needs Python 3.11 or newer, and none was found; \
	name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Narthex needs Python 3.11 \
	or newer; $(PYTHON) is $$("$(PYTHON)" --version 2>&1)" >&2; exit 1; }
	@echo "Making $(VENV) with $$("$(PYTHON)" --version)" >&2
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

# One stamp per extra: made again when what it was made from has changed.
$(VENV)/.demo $(VENV)/.test $(VENV)/.bench $(VENV)/.lint: $(VENV)/.%: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing narthex[$(if $(filter lint,$*),demo$(comma)test$(comma)bench$(comma)lint,$*)] into $(VENV)" >&2
	@$(PIP) install --constraint constraints.txt --editable '.[$(if $(filter lint,$*),demo$(comma)test$(comma)bench$(comma)lint,$*)]'
	@touch $@
comma := ,
