# Each target sets up what it needs; a clean machine has Python 3.11 or newer, make and git.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
LAYERS := cli compiler dsl runtime

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: demo test check update bench bench-long docs tables typecheck soak constraints clean
.DEFAULT_GOAL := test

# A complaint of `check` does not hide the result of the tests, and pytest has the last line.
test: $(INSTALLED)
	@checked=0; $(MAKE) --no-print-directory check || checked=$$?; \
	$(BIN)/pytest && exit $$checked

check: $(INSTALLED) typecheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/lint-imports --no-logo
	$(BIN)/flowc check flows
	$(BIN)/flowc fmt --check flows
	$(BIN)/flowc test flows

# mypy sees the tree that the wheel will have.
typecheck: $(INSTALLED)
	@mkdir -p build/typing/flowc
	@for layer in $(LAYERS); do ln -sfn ../../../$$layer build/typing/flowc/$$layer; done
	$(BIN)/mypy -p flowc

demo: $(INSTALLED)
	$(BIN)/python scripts/demo.py

update: $(INSTALLED)
	$(BIN)/pytest --snapshot-update

# `make soak SEEDS=100000 JOBS=2`
SEEDS ?= 20000
JOBS ?= 1

soak: $(INSTALLED)
	$(BIN)/python scripts/seeds.py --seeds $(SEEDS) --jobs $(JOBS)
	$(BIN)/pytest -m soak --timeout 3600

bench: $(INSTALLED)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/compile.py
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/turns.py
	$(BIN)/python benchmarks/turns_http.py

# Half an hour.
bench-long: $(INSTALLED)
	$(BIN)/python benchmarks/peak.py
	$(BIN)/python benchmarks/growth.py
	$(BIN)/python benchmarks/idle.py

docs: $(INSTALLED)
	$(BIN)/typer flowc.cli.main utils docs --name flowc --title "flowc commands" --output docs/commands.md
	$(BIN)/python scripts/diagnostic_pages.py

# After a change of dsl/flow.lark.
tables: $(INSTALLED)
	$(BIN)/python scripts/grammar_tables.py

# The versions of this virtualenv, for everybody: after a change of the dependencies and a clean install without -c.
constraints: $(INSTALLED)
	@{ echo "# What the tests ran with. After a change of the dependencies: make constraints"; \
	   $(BIN)/pip freeze --exclude-editable | grep '^[A-Za-z0-9_.-]*=='; } > constraints.txt

clean:
	rm -rf .venv build dist flowc.egg-info

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "flowc needs Python 3.11 or newer: make PYTHON=/path/to/python3")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@
