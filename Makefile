# The commands of this project; `make` alone lists them. Each first prepares what it needs, in .venv: the
# packages alone, as the code runs from this folder.
#
# The settings of the service come from the environment or from the command line: `make serve PORT=9000`,
# `make serve RESNET_SERVE_WORKERS=2`. Options for a command go into ARGS: `make test ARGS="-k flip"`.

PYTHON ?= python3
RECIPE ?= resnet18-cifar10
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-input --constraint constraints.txt
DEPENDENCIES := --build-constraint constraints.txt --only-deps

# The build of PyTorch without CUDA, for machines without an NVIDIA GPU. TORCH_INDEX_URL, when it is set,
# names the index to take PyTorch from; set but empty it means pip's own default index.
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu

# Whether `make test` measures coverage: from Python 3.12 on it costs almost nothing, before more than half of the
# tests' time, so there it is to be asked for: `make test COVERAGE=yes`.
COVERAGE ?= $(shell $(BIN)/python -c "import sys; print('yes' if sys.version_info >= (3, 12) else 'no')")

# Of `make test`: each takes up to 3 GB, and a file of tests stays in one of them. Half of the time a test waits for
# a server, so there is one more than the two cores of a small machine.
PROCESSES ?= 3

# KServe's client, which the tests ask the service with. Its bounds contradict constraints.txt.
KSERVE := .venv-kserve

# pip-audit, which is no part of what it audits.
AUDIT := .venv-audit

# The releases of PyTorch that `make lock` pins; the other packages follow from them and pyproject.toml.
TORCH := 2.14.1
TORCHVISION := 0.29.1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help serve test check docs train data fuzz soak audit bench bench-reliability bench-attacks bench-engines bench-page \
  bench-peers docker-test setup lock clean distclean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

serve: $(VENV)/.installed-serve ## Start the service with the bundled model on http://127.0.0.1:8000
	@exec $(BIN)/python -m app serve $(ARGS)

test: $(VENV)/.installed-test $(KSERVE)/.installed-or-not ## Run all tests (COVERAGE=yes or no: with or without line coverage)
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(if $(filter yes,$(COVERAGE)),--cov --cov-report=) $(ARGS)
	@$(if $(filter yes,$(COVERAGE)),echo "==> Covered lines of the three packages: $$($(BIN)/coverage report --format=total) %",:)

check: $(VENV)/.installed-test ## Lint, check the format and the types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict

docs: $(VENV)/.installed-test ## Update the tables in the documents and the dashboard, which follow from the code
	$(BIN)/python -m tests.documents.tables
	$(BIN)/python -m tests.documents.dashboard

train: $(VENV)/.installed-train ## Train a model: hours on a CPU (RECIPE=cpu: about an hour, RECIPE=lenet: minutes)
	@exec $(BIN)/python -m training train --recipe $(RECIPE) $(ARGS)

data: $(VENV)/.installed-train ## Download CIFAR-10 into data/ (about 170 MB)
	@exec $(BIN)/python -m training data --data data $(ARGS)

fuzz: $(VENV)/.installed-test ## Fuzz decoding, forms and V2 bodies (TARGET=, SECONDS=)
	@exec $(BIN)/python -m tests.fuzz $(or $(TARGET),decoding) -max_total_time=$(or $(SECONDS),600) $(ARGS)

bench: $(VENV)/.installed-test ## Measure the service under load, and the limits of the machine (ARGS=--quick: briefly)
	@exec $(BIN)/python -m tests.bench.serving $(ARGS)

bench-reliability: $(VENV)/.installed-test ## Overload the service, reload its model, kill its workers (ARGS=--quick: briefly)
	@exec $(BIN)/python -m tests.bench.reliability $(ARGS)

bench-attacks: $(VENV)/.installed-test ## Attack the service, and measure the effect on other clients (ARGS=semicolons: one attack)
	@exec $(BIN)/python -m tests.bench.attacks $(ARGS)

soak: $(VENV)/.installed-test ## Good and bad requests for 20 minutes: responses and memory (ARGS="--minutes 2": shorter)
	@exec $(BIN)/python -m tests.bench.soak $(ARGS)

bench-engines: $(VENV)/.installed-test ## Compare every engine and precision, at batches of 1 to 128
	@exec $(BIN)/python -m tests.bench.engines $(ARGS)

bench-page: $(VENV)/.installed-test ## Measure how fast the page loads, and how fast its grid follows a slider
	@exec $(BIN)/python -m tests.bench.page $(ARGS)

bench-peers: $(VENV)/.installed-bench ## Compare with other servers of the same model
	@exec $(BIN)/python -m tests.bench.peers $(ARGS)

audit: $(AUDIT)/.installed ## Ask PyPI whether a pinned package has a known vulnerability
	$(AUDIT)/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict $(ARGS)

docker-test: $(VENV)/.installed-serve ## Build the container images, run and check them (ARGS=slim: one of them)
	$(BIN)/python -m tests.containers $(ARGS)

setup: $(VENV)/.installed-test $(KSERVE)/.installed-or-not ## Install everything, for serving, training and tests, and run nothing

lock: $(BIN)/pip ## Update constraints.txt for pyproject.toml (UPGRADE=1: to the newest releases)
	$(INSTALL) pip-tools
	@echo "==> Resolving all packages; some minutes"
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet $(if $(UPGRADE),--upgrade) \
	  --upgrade-package torch==$(TORCH) --upgrade-package torchvision==$(TORCHVISION) \
	  --all-extras --strip-extras --unsafe-package resnet-serve \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --output-file constraints.txt pyproject.toml

clean: ## Remove caches and build leftovers
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage build dist *.egg-info
	find app models training tests -type d -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## Remove the environments as well; data/ and runs/ stay
	rm -rf $(VENV) $(KSERVE) $(AUDIT)

# pip is the last thing that `venv` installs, so its presence means that the environment is complete.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed, but $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing)." \
	    "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "$(PYTHON) cannot create virtual environments:" \
	    "on Debian and Ubuntu, 'apt-get install python$$version-venv' adds what is missing." >&2; exit 1; }
	@echo "==> Creating $(VENV) with $$($(PYTHON) --version); a few seconds"
	@$(PYTHON) -m venv $(VENV)

# Exits with 0 when the index answers within five seconds, whatever the network does.
define PROBE
import os, sys, threading, urllib.request
threading.Timer(5, os._exit, [1]).start()
try:
    urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=5).close()
except OSError:
    os._exit(1)
os._exit(0)
endef
export PROBE

$(VENV)/.installed-serve: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "==> pip: the pinned release (2 MB)"
	@$(INSTALL) pip
	@default="pip's default index (with CUDA on Linux: 3 GB to load, 6 GB on disk, some minutes)"; \
	index=; \
	if [ -n "$${TORCH_INDEX_URL+set}" ]; then \
	  index=$$TORCH_INDEX_URL; echo "==> PyTorch: from $${index:-$$default}, as TORCH_INDEX_URL says"; \
	elif nvidia-smi -L 2>/dev/null | grep -q GPU; then \
	  echo "==> PyTorch: an NVIDIA GPU was found, so from $$default"; \
	elif $(BIN)/python -c "$$PROBE" $(TORCH_CPU_INDEX); then \
	  index=$(TORCH_CPU_INDEX); \
	  echo "==> PyTorch: no NVIDIA GPU was found, so the CPU-only build (200 MB) from $$index"; \
	else \
	  echo "==> PyTorch: no NVIDIA GPU was found, but $(TORCH_CPU_INDEX) does not answer, so from $$default"; \
	fi; \
	[ -z "$$index" ] || $(INSTALL) --no-deps --index-url "$$index" torch torchvision
	@echo "==> Installing what serving needs"
	@$(INSTALL) $(DEPENDENCIES) '.[serve]'
	@touch $@

$(KSERVE)/.installed-or-not: tests/support/kserve-requirements.txt
	@$(PYTHON) -m venv $(KSERVE)
	@if $(KSERVE)/bin/python -c "import sys; sys.exit(sys.version_info >= (3, 14))"; then \
	  echo "==> KServe's client, in an environment of its own (450 MB, about a minute)"; \
	  $(KSERVE)/bin/python -m pip install --disable-pip-version-check --no-input --quiet \
	    --requirement tests/support/kserve-requirements.txt && touch $(KSERVE)/.installed; \
	else \
	  echo "==> KServe's client is not released for this Python; its test is skipped"; \
	fi
	@touch $@

$(AUDIT)/.installed:
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --disable-pip-version-check --no-input --quiet pip-audit==2.10.1
	@touch $@

$(addprefix $(VENV)/.installed-,train test bench): $(VENV)/.installed-%: $(VENV)/.installed-serve
	@echo "==> Adding what '$*' needs (up to 200 MB, a minute or two)"
	@$(INSTALL) $(DEPENDENCIES) '.[$*]'
	@touch $@
