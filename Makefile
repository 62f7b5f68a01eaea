# `make demo` and `make test` need no preparation: both start with `make setup`, which is instant when nothing is missing.

VIDEO ?= samples/clip.mp4
DATA_DIR ?= .vidp
SEED ?= 1
SECONDS ?= 30
MINUTES ?= 30
MODELS := .engines/models/ggml-base-q8_0.bin
# The programs of the system.
PROGRAMS := -p vidp -p vidp-api -p worker-lang -p worker-scale

# Runs a step and prints its seconds.
STEP := sh scripts/timed.sh

.DEFAULT_GOAL := help
.PHONY: help setup checks-setup build programs models demo up check k8s-check test openapi faults soak bench zoo scaling clean-data

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: Debian packages, pinned engines, speech weights
	@python3 scripts/setup.py

checks-setup: setup
	@$(STEP) setup python3 scripts/setup.py --checks

build: setup ## Build the release binaries
	@cargo build --release $(PROGRAMS)

models: build
	@test -f $(MODELS) || target/release/vidp model make

demo: models ## Process one video (VIDEO=path) through the whole system, with a report
	@target/release/vidp demo "$(VIDEO)"

up: models ## Run the whole system on this machine until Ctrl-C
	@target/release/vidp up --data-dir "$(DATA_DIR)"

check: checks-setup ## Everything but the tests; CHECKS="layers words" runs these checks alone, without cargo's
ifndef CHECKS
	@$(STEP) fmt cargo fmt --all --check
	@$(STEP) clippy cargo clippy --workspace --all-targets -- -D warnings
	@$(STEP) doc env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	@$(STEP) programs cargo build --workspace
	@$(STEP) scaling .engines/check-venv/bin/python scripts/scaling.py test
endif
	@$(STEP) checks python3 scripts/check.py $(CHECKS)

# The programs in the profile of the tests, and the speech models.
programs: setup
	@$(STEP) build cargo build --workspace
	@test -f $(MODELS) || $(STEP) models target/debug/vidp model make

# The checks compare manifests with the programs' `--help`. `make test` builds the same programs with the same profile, so
# nothing is compiled twice.
k8s-check: checks-setup ## Manifests, Compose file, Dockerfile and alerts alone, against schemas and the programs
	@$(STEP) programs cargo build --workspace
	@$(STEP) scaling .engines/check-venv/bin/python scripts/scaling.py test
	@$(STEP) checks python3 scripts/check.py $(or $(CHECKS),k8s)

test: programs checks-setup ## All tests, against the real engines
	@$(STEP) tests python3 scripts/tests.py

openapi: setup ## Write docs/openapi.json from the API's code
	VIDP_RENEW_OPENAPI=1 cargo test -p vidp-api --lib openapi

faults: programs ## Inject each kind of fault for SECONDS (30); SEED repeats a run, ONLY="--only broker-kill" selects kinds
	@target/debug/vidp-faults --seed $(SEED) --seconds $(SECONDS) $(ONLY)

soak: programs ## Inject random faults under one load for MINUTES (30), about one every six seconds
	@target/debug/vidp-faults --seed $(SEED) --soak $(MINUTES)

zoo: models checks-setup ## Make 190 files as phones, recorders and editors write them, and compare each answer with the right one
	@.engines/web-venv/bin/python scripts/zoo.py $(ONLY)

bench: models ## Measure VidP against other tools that do the same work
	@python3 scripts/bench.py

scaling: ## Replay uploads through the shipped autoscaling; writes the tables and pictures of docs/scaling.md
	@python3 scripts/scaling.py write

clean-data: ## Delete the stored data of `make up` and `make demo`
	rm -rf "$(DATA_DIR)"
