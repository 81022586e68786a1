# The two commands of the README are `make run` and `make test`; the rest is for those who work on Tandem.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test test-all covered lint check docs smoke unit e2e e2e-gevent topologies conformance conformance-server screenshots bench bench-quick token backup export import lock vendor types clean

run: .venv/run.stamp
	@$(BIN)/python run.py

test: .venv/dev.stamp
	@$(MAKE) --no-print-directory lint covered
	@$(BIN)/python -m pytest tests/e2e -n 3 $(addprefix --ignore=,$(MEASURED))
	@TEST_TOPOLOGY=redis-3 $(BIN)/python -m pytest $(SPREAD) -n 3

# What several processes could break, with each request to any of three.
SPREAD := $(addprefix tests/e2e/test_,$(addsuffix .py,detached_runs exactly_once resume_matrix streaming tool_runs))

# What is too long for every change: many made-up requests, long storms, the other runtime.
test-all: test
	@TEST_SCHEMA_CASES=25 $(BIN)/python -m pytest tests/e2e/test_schemathesis.py
	@TEST_KILLS=50 TEST_STOPS=200 TEST_CLIENTS=50 TEST_CHURN_S=20 $(BIN)/python -m pytest \
		tests/e2e/test_crashes.py tests/e2e/test_many_viewers.py
	@TEST_CLIENTS=100 $(BIN)/python -m pytest tests/e2e/test_workers.py
	@TEST_CLIENTS=100 TEST_KILLS=20 TEST_STOPS=100 $(BIN)/python -m pytest -s \
		tests/e2e/test_cluster_faults.py tests/e2e/test_cluster_limits.py
	@$(MAKE) --no-print-directory e2e-gevent topologies

# All of the end-to-end tests on each: SQLite or PostgreSQL, one process or three, with Redis or without.
TOPOLOGIES := sqlite-3 postgres-1 notify-3 redis-3
topologies: .venv/dev.stamp
	@for one in $(TOPOLOGIES); do echo "== $$one"; \
		TEST_TOPOLOGY=$$one $(BIN)/python -m pytest tests/e2e -n 3 || exit 1; done

# By the tests in process, and by some that start servers. These are measured too, which makes them
# slower: only so many that each runtime's way of a reply, a resume and a stop is among them.
MEASURED := $(addprefix tests/e2e/test_,$(addsuffix .py,detached_runs slow_clients streaming websockets))
# Not counted: what belongs to one of the runtimes; the processes of MCP and of PDFs, whose environments
# are clean; what several processes have to do with each other, which tests/e2e shows.
UNCOUNTED := app/runtimes/*/*,app/runtimes/handover.py,app/parent.py,app/workers/*,app/tools/mcp/child/__main__.py,app/tools/mcp/child/c*.py,app/attachments/pdf_child.py
covered: .venv/dev.stamp
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest tests --ignore=tests/e2e -n 2
	@$(BIN)/coverage run --concurrency=thread,greenlet -m pytest $(MEASURED) -n 2
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --omit='$(UNCOUNTED)' --fail-under=95
	@$(BIN)/coverage report --include='app/runtimes/eventlet/*'

token: .venv/run.stamp
	@SUB="$(SUB)" DAYS="$(DAYS)" ADMIN="$(ADMIN)" $(BIN)/python tools/make_token.py

backup: .venv/run.stamp
	@TO="$(TO)" $(BIN)/python tools/backup.py

# Everything of an OWNER or of all as lines of JSON, and back: docs/moving.md.
export: .venv/run.stamp
	@TO="$(TO)" OWNER="$(OWNER)" $(BIN)/python -W ignore tools/move.py export

import: .venv/run.stamp
	@FROM="$(FROM)" OWNER="$(OWNER)" SKIP="$(SKIP)" $(BIN)/python -W ignore tools/move.py import

unit: .venv/dev.stamp
	@$(BIN)/python -m pytest tests --ignore=tests/e2e -n 2

e2e: .venv/dev.stamp
	@$(BIN)/python -m pytest tests/e2e -s

e2e-gevent: .venv/dev.stamp
	@TEST_ASYNC_MODE=gevent $(BIN)/python -m pytest tests/e2e -s

# Engine.IO's and Socket.IO's documents, rule by rule, in both modes.
conformance: .venv/dev.stamp
	@$(BIN)/python -m pytest tests/conformance
	@TEST_ASYNC_MODE=gevent $(BIN)/python -m pytest tests/conformance

# What the suites of engine.io-protocol and socket.io-protocol on GitHub talk to: ASYNC_MODE, PORT;
# HANDLERS=client PORT=3210 is for the tests of socket.io-client, without their own server.
conformance-server: .venv/dev.stamp
	@PORT=$${PORT:-3000} $(BIN)/python -W ignore tests/conformance/serve.py

screenshots: .venv/dev.stamp
	@$(BIN)/python -m pytest tests/e2e/test_page_screenshots.py

bench: .venv/run.stamp
	@$(PYTHON) -m benchmarks

bench-quick: .venv/run.stamp
	@$(PYTHON) -m benchmarks --quick

check: .venv/run.stamp
	@$(BIN)/python -W ignore tools/check_providers.py

# Of the table of settings, and .env.example; a test fails where they are not current.
docs: .venv/run.stamp
	@$(BIN)/python -W ignore tools/write_docs.py

smoke: .venv/dev.stamp
	@URL="$(URL)" TOKEN="$(TOKEN)" $(BIN)/python tools/smoke.py

lint: .venv/dev.stamp
	@$(BIN)/flake8 app benchmarks tests tools run.py
	@$(BIN)/mypy

# What they say goes to stderr: stdout may be an export.
.venv/run.stamp: requirements.lock
	@echo "installing into .venv" >&2
	@$(PYTHON) -m venv .venv >&2
	@$(BIN)/pip install --quiet --require-hashes -r requirements.lock >&2
	@touch $@

.venv/dev.stamp: requirements-dev.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	@touch .venv/run.stamp $@

lock: .venv/dev.stamp
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header --no-annotate requirements.txt -o requirements.lock
	$(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header --no-annotate requirements-dev.txt -o requirements-dev.lock

# Needs Node 20 and npm; nothing else does, but for the tests of static/js.
vendor:
	npm --prefix tools/vendor ci --ignore-scripts --no-audit --no-fund
	node tools/vendor/vendor.mjs

# static/js/*.d.ts, of the client's JSDoc.
types:
	npm --prefix tests/client ci --ignore-scripts --no-audit --no-fund
	node tools/types.mjs

clean:
	rm -rf .venv .mypy_cache .pytest_cache .coverage*
