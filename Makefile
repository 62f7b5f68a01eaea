# Two commands do all the set-up: `make demo` and `make test`. Both start with `make setup`, which is instant when
# everything is there.

VIDEO ?= samples/clip.mp4
DATA_DIR ?= .vidp
SEED ?= 1
SECONDS ?= 30
MINUTES ?= 30
MODELS := .engines/models/ggml-base-q8_0.bin
# The programs that make up the system.
PROGRAMS := -p vidp -p vidp-api -p worker-lang -p worker-scale

.DEFAULT_GOAL := help
.PHONY: help setup build programs models demo up check k8s-check test openapi faults soak bench scaling clean-data

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: Debian packages, pinned engines, speech weights
	@python3 scripts/setup.py

build: setup ## Build the release binaries
	@cargo build --release $(PROGRAMS)

models: build
	@test -f $(MODELS) || target/release/vidp model make

demo: models ## Process one video (VIDEO=path) through the whole system, with a report
	@target/release/vidp demo "$(VIDEO)"

up: models ## Run the whole system on this machine until Ctrl-C
	@target/release/vidp up --data-dir "$(DATA_DIR)"

check: setup ## Formatting, lints and docs, warnings denied; manifests and alerts
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	@$(MAKE) --no-print-directory k8s-check

# For tests, in the one profile that they have, and the speech models.
programs: setup
	cargo build --workspace
	@test -f $(MODELS) || target/debug/vidp model make

# The programs are built as `make test` builds them, so that nothing is compiled twice.
k8s-check: ## Manifests, Compose file, Dockerfile and alerts, against schemas and the programs
	@python3 scripts/setup.py --checks
	cargo build --workspace
	@python3 scripts/k8s_check.py $(CHECKS)
	@.engines/check-venv/bin/python scripts/scaling.py test

test: programs ## All tests, against the real engines
	@python3 scripts/setup.py --checks
	cargo test --workspace

openapi: setup ## Write docs/openapi.json as the API serves it
	VIDP_RENEW_OPENAPI=1 cargo test -p vidp-api --bin vidp-api openapi

faults: programs ## Every kind of fault for SECONDS (30) each; SEED repeats a run, ONLY="--only broker-kill" chooses
	@target/debug/vidp-faults --seed $(SEED) --seconds $(SECONDS) $(ONLY)

soak: programs ## Random faults under one load for MINUTES (30), one each six seconds or so
	@target/debug/vidp-faults --seed $(SEED) --soak $(MINUTES)

bench: models ## Measure against the same work done by hand
	@python3 scripts/bench.py

scaling: ## Replay uploads through the autoscaling that ships; writes tables and pictures of docs/scaling.md
	@python3 scripts/scaling.py write

clean-data: ## Remove everything that `make up` and `make demo` keep
	rm -rf "$(DATA_DIR)"
