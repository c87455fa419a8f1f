# Alarum: what a developer or an operator of one machine says. `make help` lists it.
# Needs python3 >= 3.11 with venv, and make; everything else is brought along.

PYTHON ?= python3
RUN    := .venv/bin/python
PARTS  := libs services deploy tests bench
WORKERS ?= 3  # most tests wait; files, and what shares a suite, stay together (tests/conftest.py)

# What a developer's other projects set must not change what runs here.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV CONDA_PREFIX UV_PROJECT_ENVIRONMENT UV_PYTHON
unexport JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS CLASSPATH NODE_OPTIONS NODE_PATH NODE_ENV
unexport PYTEST_ADDOPTS PYTEST_PLUGINS MYPYPATH
unexport PGHOST PGHOSTADDR PGPORT PGUSER PGPASSWORD PGDATABASE PGDATA PGSERVICE PGSSLMODE PGOPTIONS
export PYTHONNOUSERSITE := 1

.DEFAULT_GOAL := help
.PHONY: help ready up down demo test bench simulate chaos lint types soak fuzz check-images docs lock clean

help: ## list these targets
	@echo "make <target> [PORT=8080] [DATA_DIR=.alarum] [SMTP_URL=smtp://host:25] [BACKEND=docker]"; echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS='|' read -r t d; do printf '%-14s %s\n' "$$t" "$$d"; done

ready: ## fetch and install what is missing (the targets below do this first)
	@command -v $(PYTHON) >/dev/null || { echo "alarum: $(PYTHON) was not found; install Python 3.11 or newer (Debian: apt install python3 python3-venv)" >&2; exit 1; }
	@$(PYTHON) deploy/local/bootstrap.py

up: ready ## start the suite and return when it is ready
	@$(RUN) -m launcher up

down: ## stop what `up` started from DATA_DIR, and nothing else
	@test -x $(RUN) || { echo "nothing was ever started from this checkout"; exit 0; }; $(RUN) -m launcher down

demo: ready ## tell the main story in a second, short-lived suite
	@$(RUN) -m launcher demo

test: ready ## run all tests; ARGS='-k name' narrows, WORKERS=0 runs them in one process
	@$(RUN) -m pytest -n $(WORKERS) --no-loadscope-reorder $(ARGS)

lint: ready ## style, and the contracts between the parts
	@.venv/bin/ruff check $(PARTS)
	@.venv/bin/ruff format --check $(PARTS)
	@.venv/bin/lint-imports
	@.venv/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml deploy/compose/external.yml
	@.venv/bin/hadolint deploy/images/Dockerfile

simulate: ready ## live through 10,000 random nights; NIGHTS= and FIRST= say which, SEED= tells one night's story
	@$(RUN) -m tests.simulation.simulate $(if $(SEED),--seed $(SEED),--nights $(or $(NIGHTS),10000) --first $(or $(FIRST),0))

bench: ready ## measure a suite of its own, one table and reports/bench-<commit>.json; ARGS='--rows … --against REF --long'
	@$(RUN) -m bench $(ARGS)

chaos: ready ## kill, freeze and fill for an hour, and judge from outside; ARGS='kills --kills 30' narrows
	@$(RUN) -m tests.chaos.run $(ARGS)

types: ready ## strict types
	@.venv/bin/mypy $(PARTS)

soak: ready ## what needs minutes of real time; ARGS='-k name' narrows
	@$(RUN) -m pytest -m soak -s --timeout=1800 $(ARGS)

fuzz: ready ## send everything that takes bytes what nobody sends by accident; TIMES= and SECONDS= say how much
	@FUZZ=$(or $(TIMES),20) $(RUN) -m pytest --timeout=7200 tests/fuzz $(ARGS)
	@$(RUN) -m tests.fuzz.guided --seconds $(or $(SECONDS),120)

check-images: ready ## build the containers' image with buildah, where that can run
	@$(RUN) -m launcher.images

docs: ready ## generate what docs/ takes from the code
	@$(RUN) -m events.documents
	@$(RUN) -m runtime.documents
	@$(RUN) -m launcher.openapi
	@$(RUN) -m launcher.compose
	@$(RUN) -m launcher.kubernetes

lock: ready ## resolve again and write requirements.lock and package-lock.json
	@.tools/bin/uv lock --upgrade
	@.tools/bin/uv export -q --no-emit-workspace --all-packages --all-groups --format requirements-txt --no-header -o requirements.lock
	@PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/npm install --package-lock-only --loglevel=error
	@$(RUN) -c 'import json, pathlib; p = pathlib.Path("package-lock.json"); d = json.loads(p.read_text()); [one.pop("funding", None) for one in d["packages"].values()]; p.write_text(json.dumps(d, indent=2) + "\n")'  # only addresses
	@! grep -nE '://|^(--index|--find-links|-i |-f )' requirements.lock package-lock.json || { echo "alarum: a lock names a host" >&2; exit 1; }

clean: ## remove what was fetched and built here (not the data, not the caches in your home)
	@rm -rf .venv .tools node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache libs/web/web/static/build
	@find $(PARTS) -name __pycache__ -type d -prune -exec rm -rf {} +
