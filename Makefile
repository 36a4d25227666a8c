# The two commands of the README, and what they are made of.
#
# Both use cargo's dev profile (see Cargo.toml); benchmarks use --release.

SHELL := /bin/bash
RESULTS ?= etcd_bench_results
PROGRAMS := $(or $(CARGO_TARGET_DIR),target)/debug
RECORDER := $(PROGRAMS)/recorder
ANALYZE := $(PROGRAMS)/analyze

TARGET := $(or $(CARGO_TARGET_DIR),target)
BENCH_PYTHON := $(TARGET)/bench-python
WHEELS := $(TARGET)/wheels
# Where wheels are built, where the newest of them is tested, and the same with the older pandas.
MATURIN := $(TARGET)/python/maturin
TESTED := $(TARGET)/python/tested
OLDER := $(TARGET)/python/older

# program=package pairs, as .ci/need takes them.
BUILD_NEEDS := cc=gcc protoc=protobuf-compiler /usr/include/google/protobuf/descriptor.proto=libprotobuf-dev
RUN_NEEDS := etcd=etcd-server ip=iproute2 iptables-restore=iptables
TEST_NEEDS := etcdctl=etcd-client jq=jq script=bsdutils setpriv=util-linux unshare=util-linux python3=python3 /usr/lib/python3/dist-packages/pandas=python3-pandas \
	dot=graphviz rsvg-convert=librsvg2-bin node=nodejs npm=npm chromium=chromium
PYTHON_NEEDS := python3=python3 /usr/share/doc/python3-venv=python3-venv
VM_NEEDS := qemu-system-x86_64=qemu-system-x86 mkfs.ext4=e2fsprogs depmod=kmod setpriv=util-linux flock=util-linux

# Builds in half the time of release, which is what pip takes.
PROFILE ?= dev
NEWEST_WHEEL = $$(ls -t $(WHEELS)/laggard-*.whl | head -1)

.PHONY: help demo test test-python python-env wheel notebooks needs-python test-netem lint build images needs-demo needs-test needs-images needs-bench-analyze bench-recording bench-client bench-pacing bench-sweep bench-analyze pictures bench-python

help: ## Say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

demo: needs-demo build ## Record a quick sweep (baseline, slow follower, controls) and plot it (about a minute after the build)
	$(RECORDER) sweep --preset quick --force --dir $(RESULTS)
	$(ANALYZE) delta --sweep latest --dir $(RESULTS)
	@echo
	@echo "Run folders:"
	@ls -d $(RESULTS)/*_*/
	@echo "Plots:"
	@$(ANALYZE) plot --dir $(RESULTS) --sweep latest --kind latency
	@$(ANALYZE) plot --dir $(RESULTS) --sweep latest --kind delta
	@$(ANALYZE) plot --dir $(RESULTS) --sweep latest --kind throughput

test: needs-test lint ## Install what the tests need and run all of them
	cargo test --workspace --all-features
	$(MAKE) test-python

python-env: wheel ## Make a fresh environment with the wheel and all that its tests need
	rm -rf $(TESTED)
	python3 -m venv $(TESTED)
	$(TESTED)/bin/pip install --quiet --disable-pip-version-check $(NEWEST_WHEEL) --requirement pybindings/tests/requirements.txt

test-python: python-env ## Test `import laggard` in fresh environments: types, pytest, notebooks (after cargo test, whose programs it uses)
	cd pybindings && $(abspath $(TESTED))/bin/python -m mypy --package laggard
	cd pybindings && $(abspath $(TESTED))/bin/python -m mypy.stubtest laggard._core --concise
	$(TESTED)/bin/python -m pytest -q pybindings/tests
	rm -rf $(OLDER)
	python3 -m venv $(OLDER)
	$(OLDER)/bin/pip install --quiet --disable-pip-version-check $(NEWEST_WHEEL) 'pandas<3' polars pyarrow duckdb pytest
	$(OLDER)/bin/python -m pytest -q pybindings/tests/test_tables.py

wheel: needs-python ## Build the wheel of `import laggard` into target/wheels (PROFILE=release: for recordings of millions of rows)
	@[ -x $(MATURIN)/bin/maturin ] || { python3 -m venv $(MATURIN) && $(MATURIN)/bin/pip install --quiet --disable-pip-version-check 'maturin>=1.9,<2'; }
	$(MATURIN)/bin/maturin build --manifest-path pybindings/Cargo.toml --out $(WHEELS) --profile $(PROFILE)

test-netem: needs-test ## Prove kernel netem in a virtual machine, beside the queue shaper (GRID=full: every combination)
	GRID=$(GRID) cargo test --workspace --all-features --test netem -- --nocapture

lint: ## Formatting and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- --deny warnings

build: ## Build the two programs
	cargo build --workspace --bins

images: needs-images build ## Build the Docker images laggard/etcd and laggard/tools, from Debian packages
	compose/images/build all --recorder $(RECORDER)

needs-demo:
	@.ci/need $(BUILD_NEEDS) $(RUN_NEEDS)

needs-images:
	@.ci/need $(BUILD_NEEDS) docker=docker.io

needs-python:
	@.ci/need $(BUILD_NEEDS) $(PYTHON_NEEDS)

needs-test:
	@.ci/need $(BUILD_NEEDS) $(RUN_NEEDS) $(TEST_NEEDS) $(PYTHON_NEEDS) $(VM_NEEDS)
	@.ci/mermaid >/dev/null || [ -z "$$LAGGARD_REQUIRE_ALL" ]

bench-recording: ## Bytes and CPU time a recorded row, and memory, from 1 M to 60 M rows
	cargo run --release --package run-folder --features synthetic --example recording-cost -- --rows 1000000,8000000,60000000

bench-sweep: needs-demo ## What goes by between the runs of a sweep (its last lines say)
	cargo build --release --workspace --bins
	@set -e; runs=$$(mktemp -d); trap 'rm -rf "$$runs"' EXIT; \
	$(or $(CARGO_TARGET_DIR),target)/release/recorder sweep tests/fixtures/short-runs.toml --dir "$$runs"

pictures: needs-demo build ## Record the two sweeps of the README (15 minutes) and draw its pictures
	$(RECORDER) sweep --preset slow-follower --duration 12 --force --dir $(RESULTS)
	$(ANALYZE) plot --dir $(RESULTS) --sweep latest --pattern 'loss*_mid' --output analyze/pictures/throughput.svg
	$(ANALYZE) plot --dir $(RESULTS) --sweep latest --kind cdf --pattern 'delay*_full' --output analyze/pictures/cdf.svg
	$(ANALYZE) plot --dir $(RESULTS) --sweep latest --kind delta --output analyze/pictures/delta.svg
	$(RECORDER) sweep --preset slow-leader --duration 12 --force --dir $(RESULTS)
	$(ANALYZE) plot --dir $(RESULTS) --sweep latest --kind latency --pattern 'slowleader_mid*' --output analyze/pictures/latency.svg

notebooks: needs-demo build python-env ## Record the data of the notebooks anew (20 minutes) and run them
	notebooks/data/record $(RECORDER) $(ANALYZE)
	cd notebooks && $(abspath $(TESTED))/bin/python run *.ipynb

bench-pacing: needs-demo ## How exactly the open loop starts operations against a stub, beside a bare thread
	cargo run --release --package recorder --example pacing

bench-client: needs-demo ## CPU time of the client with recording on, beside a bare loop
	cargo run --release --package recorder --example client-cost

bench-analyze: needs-bench-analyze ## Time and memory of analyze beside DuckDB, polars and pandas on made-up runs (PARTS='--only sweep': a part of it)
	cargo build --release --workspace --bins
	cargo build --release --package run-folder --features synthetic --example generate-runs
	$(BENCH_PYTHON)/bin/python tests/speed/compare --programs $(or $(CARGO_TARGET_DIR),target)/release $(PARTS)

needs-bench-analyze:
	@python3 -m venv $(BENCH_PYTHON) && $(BENCH_PYTHON)/bin/pip install --quiet --disable-pip-version-check --requirement tests/speed/requirements.txt

bench-python: needs-bench-analyze ## Time and memory of `import laggard` beside pyarrow and analyze (PARTS='--only open': a part of it)
	cargo build --release --workspace --bins
	cargo build --release --package run-folder --features synthetic --example generate-runs
	$(MAKE) wheel PROFILE=release WHEELS=$(WHEELS)/release
	$(BENCH_PYTHON)/bin/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $$(ls -t $(WHEELS)/release/*.whl | head -1)
	$(BENCH_PYTHON)/bin/python tests/speed/bindings --programs $(TARGET)/release $(PARTS)
