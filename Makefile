# make run: the site and one cluster. make test, make check: for developers. Needs make and Python 3.11 or newer.
# A recipe line without shell signs is started by make itself, so a SIGTERM to make reaches the program, not a shell.

PORT ?= 8000
export PORT
# Extra arguments of pytest: make test ARGS="tests/posts -k outbox"
ARGS ?=

# Many tests wait for processes of their own: half as many again as there are processors keep these busy.
TEST_PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) \* 3 / 2)

VENV := .venv
BENCH_VENV := .venv-bench
PYTHON := $(VENV)/bin/python
INSTALL := $(PYTHON) -m pip install --quiet --disable-pip-version-check --require-virtualenv
COMPILE := $(PYTHON) -m uv pip compile pyproject.toml --universal --python-version 3.11 --fork-strategy fewest \
	--extra site --generate-hashes --no-emit-index-url --no-annotate --quiet
# A production site for the checks: nothing of this machine's .env or var/ decides them.
PRODUCTION := env ENV_FILE=/dev/null VAR_DIR=$(VENV)/check SITE_URL=https://socialq.example.org \
	ALLOWED_HOSTS=socialq.example.org SOCIALQ_TRUSTED_PROXIES=1 DATABASE_URL=sqlite:///:memory: \
	SECRET_KEY=for-checks-alone-9f1c7be2d4a85063-not-a-secret-of-any-site

.PHONY: run test test-browser matrix check docs format lock clean bench bench-day bench-media bench-pages screenshots faults

run: $(VENV)/runtime.installed
	@$(PYTHON) -m socialq_site.bootstrap
	@$(PYTHON) manage.py migrate --no-input --verbosity 0
	@$(PYTHON) manage.py first_run
	@$(PYTHON) manage.py serve --with-parent

# Where no bytecode is to be written, each of the tests' hundreds of processes would compile everything again.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/dev.installed
	$(PYTHON) -m pytest --numprocesses $(TEST_PROCESSES) --dist loadgroup --db=sqlite $(ARGS)
	$(PYTHON) -m pytest --numprocesses $(TEST_PROCESSES) --dist loadgroup --db=postgresql $(ARGS) $(if $(ARGS),|| test $$? -eq 5)

# What people expect, in a real browser: make test-browser ARGS="-k calendar". A part of make test.
test-browser: $(VENV)/dev.installed
	$(PYTHON) -m pytest --numprocesses $(TEST_PROCESSES) --dist loadgroup --db=sqlite tests/browser $(ARGS)

# Every Python with every Django that it can run, each in an environment of its own; those Pythons must be on PATH.
# One of them: make matrix ARGS="--session 'embedding(python=\"3.13\", django=\"6.1\")'"
matrix: $(VENV)/dev.installed
	$(PYTHON) -m nox $(ARGS)

check: $(VENV)/dev.installed
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m djlint --lint --quiet .
	$(PRODUCTION) $(PYTHON) -m mypy queue_app posts socialq_site
	$(VENV)/bin/lint-imports
	$(PRODUCTION) $(PYTHON) manage.py makemigrations --check --dry-run
	$(PRODUCTION) $(PYTHON) manage.py check --deploy --fail-level WARNING
	$(PRODUCTION) $(PYTHON) -m sphinx --quiet --fail-on-warning --keep-going --jobs auto docs build/docs

# The documentation as pages, in build/docs/index.html.
docs: $(VENV)/dev.installed
	$(PRODUCTION) $(PYTHON) -m sphinx --fail-on-warning --keep-going --jobs auto docs build/docs

# Compares the queue with its peers, which live in an environment of their own; takes about 25 minutes.
# A first look in a few: make bench ARGS="--quick"
bench: $(VENV)/dev.installed $(BENCH_VENV)/installed
	$(PYTHON) -m benchmarks.engine $(ARGS)

# A simulated day of 10,000 posts, in eleven minutes on each of both databases. A first look: make bench-day ARGS="--quick"
bench-day: $(VENV)/dev.installed
	$(PYTHON) -m benchmarks.day $(ARGS)

# Renders pictures beside a plain Pillow loop, by turns; takes a few minutes. A first look: make bench-media ARGS="--quick"
bench-media: $(VENV)/dev.installed
	$(PYTHON) -m benchmarks.media $(ARGS)

# The admin's pages with 100,000 posts and 300,000 jobs on both databases; takes about ten minutes. A first look:
# make bench-pages ARGS="--posts 2000 --jobs 6000 --rounds 2 --json /dev/null"
bench-pages: $(VENV)/dev.installed
	$(PYTHON) -m benchmarks.pages $(ARGS)

# Takes the pictures of docs/control-room.md from a running site. Some: make screenshots ARGS="calendar-week delivery"
screenshots: $(VENV)/dev.installed
	$(PYTHON) -m tests.browser.screenshots $(ARGS)

# Kills, stops, starves and blocks the site in rounds on both databases, for half an hour at most; writes docs/faults.md.
# A first look: make faults ARGS="--short --rounds 1 --no-table"
faults: $(VENV)/dev.installed
	$(PYTHON) -m tests.faults $(ARGS)

format: $(VENV)/dev.installed
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

# Writes both locks anew from the ranges in pyproject.toml.
lock: export UV_CUSTOM_COMPILE_COMMAND := make lock
lock: $(VENV)/dev.installed
	$(COMPILE) --upgrade --output-file requirements.txt
	$(COMPILE) --upgrade --group dev --constraint requirements.txt --output-file requirements-dev.txt

# Removes what can be made again. The site's data in var/ stays.
clean:
	rm -rf $(VENV) $(BENCH_VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/runtime.installed: requirements.txt $(VENV)/created
	@echo "Installing what the site needs into $(VENV); this takes a minute, once."
	@$(INSTALL) --requirement requirements.txt
	@touch $@

$(VENV)/dev.installed: requirements-dev.txt $(VENV)/created
	@echo "Installing what the tests and checks need into $(VENV); this takes a minute, once."
	@$(INSTALL) --requirement requirements-dev.txt
	@touch $@

$(BENCH_VENV)/installed: benchmarks/peers/requirements.txt $(VENV)/created
	$(PYTHON) -m venv --clear $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# A name on PATH may be a shim that starts nothing: each is asked for its version first.
$(VENV)/created:
	@for python in python3.13 python3.12 python3.11 python3 python; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		$$python -m venv --clear $(VENV) && touch $@ && exit 0; \
		echo "$$python could not make $(VENV), see above (on Debian: apt install python3-venv)." >&2; exit 1; \
	done; \
	echo "SocialQ needs Python 3.11 or newer; none of python3.13, python3.12, python3.11, python3 is one. Install it and run make again." >&2; \
	exit 1
