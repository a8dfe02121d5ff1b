# Everything a person or CI runs. `make help` lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

# Modules are kept as byte code, whatever the environment says: the tests start some three hundred processes.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-kill test-loss test-systemd test-arm test-walk test-wheel deploy deploy-status deploy-logs deploy-rollback deploy-uninstall test-deploy lint fuzz soak bench bench-native bench-twin docs docs-site docs-links objects clean twin twin-deps

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

setup: $(STAMP)  ## make the environment .venv, with the command .venv/bin/axiom-hw

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"axiom_hw needs Python 3.11 or later; $(PYTHON) is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12 setup")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python has no venv module here. Install it first: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

demo: setup  ## the heartbeat on a real clock, then the button on the mock bench; names the other demos
	@$(BIN)/python -m demos

lint: setup  ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup lint  ## lint, then the whole test suite
	$(BIN)/pytest -n auto --dist worksteal

test-slow: setup  ## what `make test` tries a part of, whole: all vectors as both native codes, more examples
	AXIOM_TESTS=whole $(BIN)/pytest -n auto --dist worksteal -m thorough

test-kill: setup  ## 100 processes killed under load: outputs safe within 200 ms, a latched stop still latched
	KILLS=$${KILLS:-100} $(BIN)/pytest tests/kill -s

twin: setup  ## a Pi 5's twin in QEMU, left on for other terminals (on Debian; builds its kernel once)
	$(BIN)/axiom-hw twin setup
	$(BIN)/axiom-hw twin boot

twin-deps: setup  ## installs what the twin needs, on Debian; says the line for sudo without root
	$(BIN)/axiom-hw twin setup

test-systemd: setup  ## services under a real systemd in namespaces: ready, watchdog, exit codes (as root, 15 seconds)
	AXIOM_SYSTEMD=1 $(BIN)/pytest tests/systemd

test-twin: setup  ## a stock kernel in QEMU with a Pi 5's lines and sensors: contract suites, demos, latency (on Debian)
	$(BIN)/axiom-hw twin setup
	AXIOM_TWIN=1 $(BIN)/pytest tests/twin -s --durations=10

test-arm: setup  ## the engines' tests on emulated Raspberry Pis, 5 and 4 (on Debian; downloads 200 MB once)
	$(BIN)/python -m tests.arm

test-walk: setup  ## README and the tutorial, typed in a fresh clone with a fresh environment, with a stop watch
	$(BIN)/python -m tests.walk

test-wheel: setup  ## the wheel in a clean environment and an empty directory: every demo, a new project and its tests
	AXIOM_WHEEL=1 $(BIN)/pytest tests/test_wheel.py

fuzz: setup  ## the verifier on generated programs, then 100,000 of them on both engines; FUZZ_SECONDS bounds each
	FUZZ_SECONDS=$${FUZZ_SECONDS:-300} $(BIN)/pytest tests/bpf/fuzz -s
	$(BIN)/python -m tests.bpf.fuzz.equal

soak: setup  ## 20,000 replacements of programs under load, and 2,000 by programs never seen; no event lost, no memory
	$(BIN)/python -m tests.bpf.engine.llvm.soak

test-loss: setup  ## a million edges with injected losses through each path: received plus reported lost is sent; EDGES=... for less
	$(BIN)/python -m tests.loss $(EDGES)

bench: setup  ## events a second and ns a dispatch, as ratios in one run
	$(BIN)/python -m tests.bench

bench-native: setup  ## native code against gcc, clang and the kernel, as ratios in one run; BENCH=... for less
	$(BIN)/python -m tests.bench.native $(BENCH)

bench-twin: setup  ## from an edge to an output on a real kernel: native pump, C loop, gpiod, lgpio, gpiozero (on Debian)
	$(BIN)/axiom-hw twin setup
	$(BIN)/python -m tests.bench.latency $(BENCH)

# Deploys: HOST=pi@raspberrypi.local, and APP=demos/button.py or NAME=button; docs/deploy.md has the others. NAME counts
# where it is said to make: some systems have one in every environment.
ifeq ($(origin NAME),environment)
unexport NAME
endif

$(VENV)/.deploy: $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[deploy]'
	@touch $@

deploy: $(VENV)/.deploy  ## APP=demos/button.py onto HOST=pi@raspberrypi.local, over SSH; DRY=1 only shows what differs
	@$(BIN)/python deploy deploy $(if $(DRY),--dry --diff)

deploy-status: $(VENV)/.deploy  ## which release of NAME=button runs on HOST
	@$(BIN)/python deploy status

deploy-logs: $(VENV)/.deploy  ## what NAME=button says on HOST, as it comes
	@$(BIN)/python deploy logs

deploy-rollback: $(VENV)/.deploy  ## NAME=button on HOST back to the release before, or to RELEASE=...
	@$(BIN)/python deploy rollback $(if $(RELEASE),--release $(RELEASE))

deploy-uninstall: $(VENV)/.deploy  ## NAME=button off HOST, without a trace
	@$(BIN)/python deploy uninstall

test-deploy: $(VENV)/.deploy  ## deploys to a real sshd on a spare port, with every step cut, and to the twin (as root, installs sshd and QEMU); POWER_CUT=0 for less
	@test -x /usr/sbin/sshd || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq --no-install-recommends openssh-server >/dev/null; } || { echo "There is no sshd here. Install it first: sudo apt install openssh-server"; exit 1; }
	MYPYPATH=deploy $(BIN)/mypy -p axiom_deploy
	cd deploy/on_board && ../../$(BIN)/mypy --config-file ../../pyproject.toml .
	@test "$$(id -u)" != 0 || $(BIN)/axiom-hw twin setup
	AXIOM_DEPLOY=1 $(BIN)/pytest tests/deploy -n 2 --dist loadfile --no-loadscope-reorder --durations=10

docs: setup  ## write the pages and the picture that derive from the code again
	$(BIN)/python docs/make_pages.py
	$(BIN)/python docs/make_picture.py

docs-site: $(VENV)/.ready-docs  ## the pages as a site, build/site/index.html; fails on a warning or a dead link. Needs no internet
	$(BIN)/sphinx-build -q -W --keep-going -c docs -d build/doctrees . build/site
	$(BIN)/python docs/check_links.py build/site

docs-links: $(VENV)/.ready-docs  ## list the links that leave the site, and try them where there is a network
	-$(BIN)/sphinx-build -q -c docs -d build/doctrees -b linkcheck . build/links >/dev/null 2>&1
	$(BIN)/python docs/check_links.py build/links --outer

$(VENV)/.ready-docs: $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@

objects:  ## build the C programs of demos and benchmarks again (needs clang)
	$(MAKE) -C demos/heartbeat
	$(MAKE) -C tests/bench/native/programs

clean:  ## remove what the other targets made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
