# The two commands of the README are `make run` and `make test`; the rest is for those who work on Tandem.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test covered lint check docs smoke unit e2e e2e-gevent screenshots bench bench-quick token backup lock vendor types clean

run: .venv/run.stamp
	@$(BIN)/python run.py

test: .venv/dev.stamp
	@$(MAKE) --no-print-directory -j 2 lint covered
	@$(BIN)/python -m pytest tests/e2e -n 2

covered: .venv/dev.stamp
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest tests --ignore=tests/e2e
	@$(BIN)/coverage report --include='app/core/*,app/runs/*,app/usage/*,app/chats/*,app/dialects/*' --fail-under=95

token: .venv/run.stamp
	@SUB="$(SUB)" DAYS="$(DAYS)" ADMIN="$(ADMIN)" $(BIN)/python tools/make_token.py

backup: .venv/run.stamp
	@TO="$(TO)" $(BIN)/python tools/backup.py

unit: .venv/dev.stamp
	@$(BIN)/python -m pytest tests --ignore=tests/e2e

e2e: .venv/dev.stamp
	@$(BIN)/python -m pytest tests/e2e -s

e2e-gevent: .venv/dev.stamp
	@TEST_ASYNC_MODE=gevent $(BIN)/python -m pytest tests/e2e -s

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

.venv/run.stamp: requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
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
	rm -rf .venv .mypy_cache .pytest_cache .coverage
