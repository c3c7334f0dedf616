# One command per wish. Needs make and Python 3.11 or newer with pip and venv; everything else goes into .venv.
#
#   make run      serve config/gtmdns.yaml (CONFIG=... serves another one)
#   make test     run the tests (ARGS="-k weights" hands words to pytest)
#   make check    ruff, mypy, then the tests: what a change has to pass
#   make format   let ruff rewrite what it can
#   make bench    measure everything on bench/results.md, side by side with other servers on this machine, and write that
#                 page and its chart: about 20 minutes (ARGS="--turns 1 --seconds 0.3", "--parts static latency", "--resume")
#   make drills   long tests of a running server: 50 reloads at 5 000 queries/s ... (ARGS="reloads workers" for some)
#   make fuzz     octets that nobody would send, guided by coverage (SECONDS=60 RUNS=1000000 SEED=1)
#   make asan     the tests of the compiled path, their memory watched by AddressSanitizer (needs gcc or clang)
#   make image    build the container image (docker, podman or buildah, whichever answers)
#   make clean    remove .venv and everything that was built

PYTHON ?= python3
CONFIG ?= config/gtmdns.yaml
IMAGE ?= gtmdns:latest
ARGS ?=
SECONDS ?= 60
RUNS ?= 1000000000
SEED ?= 1

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

SERVERS := tests/conformance tests/serve tests/cli tests/bench tests/fuzz tests/config/test_stories.py

# What is compiled where a compiler is: a change of it is built anew.
COMPILED := setup.py $(wildcard gtmdns/*/*.pyx gtmdns/*/*.pxd gtmdns/*/*.pxi gtmdns/*/*.h)
FLAGS_ASAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g -O1

.PHONY: run test check lint format bench drills fuzz asan image clean
.DEFAULT_GOAL := test

run: $(VENV)/.for-run
	@exec $(BIN)/gtmdns serve $(CONFIG)

# What runs a server, or measures, gets the machine for itself; all the rest runs on every CPU.
test: $(VENV)/.for-tests
ifeq ($(strip $(ARGS)),)
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(addprefix --ignore=,$(SERVERS))
	@$(BIN)/python -m pytest $(SERVERS)
else
	@$(BIN)/python -m pytest $(ARGS)
endif

check: lint test

lint: $(VENV)/.for-tests
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(VENV)/.for-tests
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(VENV)/.for-run
	@$(BIN)/python bench/run.py $(ARGS)

drills: $(VENV)/.for-tests
	@$(BIN)/python -m tests.drills $(ARGS)

# Without the guide (it has no build for every machine) mutations are drawn from SEED.
fuzz: $(VENV)/.for-tests
	@$(PIP) install -e '.[fuzz]' || echo "atheris could not be installed; mutations from a seed it is"
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS) --runs $(RUNS) --seed $(SEED) $(ARGS)

# Built apart from the tree: what is watched is slow. CPython's own memory is malloc's, so that
# an object used after its end is seen too; leaks are not looked for, CPython keeps much to its end.
asan: $(VENV)/.for-tests
	@$(PIP) install 'Cython>=3.0' 'setuptools>=68'
	@rm -rf build/asan && mkdir -p build/asan
	@CFLAGS="$(FLAGS_ASAN)" LDFLAGS="$(FLAGS_ASAN)" $(BIN)/python setup.py --quiet build \
		--build-lib build/asan --build-temp build/asan.o >build/asan.log 2>&1 || { cat build/asan.log; exit 1; }
	@LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc PYTHONPATH=build/asan \
		$(BIN)/python -X dev -m pytest -o "pythonpath=build/asan ." -p no:cacheprovider \
		tests/answers/test_fast*.py tests/serve/test_drain.py tests/fuzz $(ARGS)

image:
	@if docker info >/dev/null 2>&1; then docker build --tag $(IMAGE) .; \
	elif podman info >/dev/null 2>&1; then podman build --format docker --tag $(IMAGE) .; \
	elif command -v buildah >/dev/null; then buildah build --format docker --tag $(IMAGE) .; \
	else echo "make image needs docker, podman or buildah" >&2; exit 1; fi

# The stamps say what was installed, so that what is unchanged costs nothing.
$(VENV)/.for-run: pyproject.toml $(COMPILED) | $(BIN)/python
	@echo "installing gtmdns into $(VENV) ..."
	@$(PIP) install -e .
	@touch $@

$(VENV)/.for-tests: pyproject.toml $(COMPILED) | $(BIN)/python
	@echo "installing gtmdns and its development tools into $(VENV) ..."
	@$(PIP) install -e '.[dev]'
	@touch $@ $(VENV)/.for-run

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "gtmdns needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

clean:
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	@find gtmdns -name '*.so' -delete
	@find gtmdns tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
