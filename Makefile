# The Transformer, Block by Block. Each target is a thin cover over commands that README.md gives for use by hand.
# Works with GNU make 3.81, the one of macOS.

# What a shell may have set for another Python: it would start the wrong one, take the assertions out of the notebooks,
# or import somebody else's package before this checkout's.
unexport PYTHONHOME PYTHONOPTIMIZE PYTHONSAFEPATH PYTHONSTARTUP
export PYTHONPATH := $(CURDIR)/src

# The first of these that pyproject.toml lists. Another one: make PYTHON=/path/to/python3.12 book
VERSIONS := $(shell sed -n 's/.*"Programming Language :: Python :: \(3\.[0-9]*\)".*/\1/p' pyproject.toml)
PYTHON ?= $(shell unset PYTHONHOME; for python in python3 $(VERSIONS:%=python%); do \
	$$python -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] not in "$(VERSIONS)".split())' 2>/dev/null && \
	echo $$python && break; done)

# An environment that was moved, copied or has lost its Python is made again: environment.py looks closer.
USABLE := $(shell unset PYTHONHOME; .venv/bin/python -I -c 'import pip' 2>/dev/null && \
	head -n 2 .venv/bin/pip | grep -F "$$(cd .venv && pwd -P)/bin/" > /dev/null && echo yes)
AGAIN := $(if $(USABLE),,again)

BIN := .venv/bin/python -m
SITE := _build/html
STEPS := check-lint check-types check-code check-notebooks check-site
# The chapters to run again: make run NOTEBOOKS=book/notation.ipynb
NOTEBOOKS ?=
# The folder with Multi30k: make bench DATA=~/corpora
DATA ?=

.DEFAULT_GOAL := help
.PHONY: help book test serve run table lock bench faults mutants linkcheck clean again $(STEPS)

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

book: .venv/requirements.txt.stamp ## build the book into _build/html
	rm -rf $(SITE)
	.venv/bin/jupyter-book build . -W --keep-going
	@echo
	@echo "The cover page:   file://$(CURDIR)/$(SITE)/index.html"
	@echo "Its figures move only when the book is served:   make serve"

test: .venv/requirements-dev.txt.stamp ## check everything: lint, types, code, each notebook, the built site
	@logs=$$(mktemp -d); begun=$$(date +%s); failed=; \
	if [ -t 1 ]; then FORCE_COLOR=1; export FORCE_COLOR; fi; \
	for step in $(STEPS); do \
		echo; echo "== $$step"; start=$$(date +%s); \
		{ $(MAKE) --no-print-directory $$step 2>&1; echo $$? > $$logs/status; } | tee $$logs/$$step; \
		result=passed; [ "$$(cat $$logs/status)" = 0 ] || { result=FAILED; failed="$$failed $$step"; }; \
		printf '  %-16s %-6s %4d s   %s\n' $$step $$result $$(($$(date +%s) - start)) \
			"$$(grep -E ' in [0-9.]+s' $$logs/$$step | tail -n 1)" >> $$logs/summary; \
	done; \
	echo; echo "== make test: $${failed:+failed:}$${failed:-passed}, $$(($$(date +%s) - begun)) s"; \
	cat $$logs/summary; rm -rf $$logs; [ -z "$$failed" ]

check-lint: .venv/requirements-dev.txt.stamp ## ... the code as ruff wants it
	$(BIN) ruff check .
	$(BIN) ruff format --check .

check-types: .venv/requirements-dev.txt.stamp ## ... the types as mypy wants them
	$(BIN) mypy

check-code: .venv/requirements-dev.txt.stamp ## ... the package and its parity with other libraries, with branch coverage
	$(BIN) pytest tests --ignore=tests/site -q -n logical --dist loadscope --cov --no-skips

check-notebooks: .venv/requirements-dev.txt.stamp ## ... each stored output of each notebook against a fresh run
	$(BIN) pytest book -q -n logical --dist loadscope

check-site: .venv/requirements-dev.txt.stamp ## ... the built book in a real browser
	$(BIN) pytest tests/site -q -n logical --dist loadscope

# sphinx-autobuild wants a conf.py, which Jupyter Book writes from _config.yml; it goes when the server stops.
serve: .venv/requirements.txt.stamp ## serve the book and rebuild it while you write
	@trap 'rm -f conf.py' EXIT; trap 'exit 0' INT TERM; \
	.venv/bin/jupyter-book config sphinx . > /dev/null && PYTHONPATH=book/_extensions:$$PYTHONPATH \
		$(BIN) sphinx_autobuild . $(SITE) --port 8000 --open-browser --ignore '*/_build/*' --ignore '*/.venv/*'

run: .venv/requirements.txt.stamp ## run the notebooks again and store their outputs
	$(BIN) book._tools.execute $(NOTEBOOKS)

table: .venv/requirements.txt.stamp ## print each notebook's cells, words, seconds and exercises
	$(BIN) book._tools.execute --check $(NOTEBOOKS)

lock: .venv/requirements-dev.txt.stamp ## remake both lock files from pyproject.toml (UPGRADE=1: newest versions)
	printf -- '-e .[book,dev]\n' | $(COMPILE) $(if $(UPGRADE),--upgrade) - -o requirements-dev.txt
	cp requirements-dev.txt requirements.txt  # so that the smaller lock keeps the same versions
	printf -- '-e .[book]\n' | $(COMPILE) - -o requirements.txt
COMPILE := $(BIN) uv pip compile -q --universal --python-version 3.11 --no-annotate --custom-compile-command "make lock"

bench: .venv/requirements-dev.txt.stamp ## time training, decoding and attention beside other libraries (minutes)
	$(BIN) benchmarks $(if $(DATA),--data "$(DATA)")

faults: .venv/requirements-dev.txt.stamp ## plant each known fault in the package and see the test named for it fail
	.venv/bin/python tests/faults.py

mutants: .venv/requirements-dev.txt.stamp ## plant faults in the core by machine and count those that no test sees (long)
	$(BIN) mutmut run
	$(BIN) mutmut results

linkcheck: .venv/requirements.txt.stamp ## ask each other site that the book links to whether the page is still there
	.venv/bin/jupyter-book build . --builder linkcheck

clean: ## remove what was built; the environment stays (rm -rf .venv removes that too)
	rm -rf _build mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage conf.py

.venv/%.stamp: % pyproject.toml $(AGAIN)
	@python=$(or $(PYTHON),python3); command -v $$python > /dev/null || { echo "No Python found: sudo apt install" \
		"python3 python3-venv (Debian, Ubuntu), sudo dnf install python3 (Fedora), brew install python (macOS)"; exit 1; }; \
	$$python book/_tools/environment.py $*

again:
