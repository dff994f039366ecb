# make demo   paints the photos in examples/ in every style into out/
# make test   the fast tests;  make test-slow  the others;  make lint  what CI checks of the code's form
# make man    writes the manual page from the parser, after a flag has changed
# make fuzz   spoilt files of every kind for three minutes
# make docs   the documentation as a site into build/site
# make browser       the page that paints in the visitor's own browser, into browser/dist (wants Node 18 or newer)
# make wheel  sdist and wheel into dist/, with that page in them
# make browser-demo  serves that page on loopback;  make browser-test  its own tests and lint
# Each sets up .venv by itself, with the versions in constraints.txt.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo docs man test test-slow fuzz lint check format clean browser browser-demo browser-test wheel

demo: .venv/runtime
	$(BIN)/photo2anime paint examples/*.jpg --style all --out out
	$(BIN)/python scripts/contact_sheet.py examples out out/contact-sheet.jpg
	@echo "Look at out/contact-sheet.jpg, and at the pictures beside it in out/"

test: .venv/develop
	$(BIN)/python -m pytest -m "not slow"

test-slow: .venv/develop
	$(BIN)/python -m pytest -m slow

man: .venv/develop
	$(BIN)/python scripts/man_page.py

fuzz: .venv/develop
	$(BIN)/python scripts/fuzz.py --seconds 180

lint: .venv/develop
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: .venv/docs
	$(BIN)/python scripts/docs_site.py

browser: browser/dist/index.html

browser/dist/index.html: browser/node_modules/.package-lock.json $(wildcard browser/src/* browser/public/* browser/public/*/*) browser/index.html
	cd browser && npm run build

browser/node_modules/.package-lock.json: browser/package-lock.json
	cd browser && npm ci --no-progress
	@touch $@

browser-demo: .venv/develop browser
	$(BIN)/photo2anime serve --on-device

wheel: .venv/develop browser
	$(BIN)/python scripts/wheel.py

browser-test: browser
	cd browser && npm run lint && npm test

check: lint test

format: .venv/develop
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv out browser/node_modules browser/dist

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/runtime: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e .
	@touch $@

.venv/docs: .venv/runtime
	$(PIP) -e '.[app,docs]'
	@touch $@

.venv/develop: .venv/runtime
	$(PIP) -e '.[app,cluster,jxl,raw,train,video,dev]'
	@touch $@
