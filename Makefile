# Everything that people and CI do with this project. `make help` lists it.
SHELL := bash

.PHONY: help run test test-levels lint deny lint-deploy lint-docker kafka test-kafka test-kafka-versions test-far torture torture-specs torture-signals torture-exactly-once torture-copies torture-cluster torture-month torture-long soak test-linux test-oracles test-soft-sha1 test-instructions fuzz bench bench-peers bench-hot bench-live bench-delivery bench-sweep verify-memory verify-memory-kafka fixtures test-fixtures test-engines test-guide-engines build

help: ## This list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | column -t -s "$$(printf '\t')"

run: ## Play 10,000 auctions of seed 42 into a broker inside the program, and read them back
	@echo "compiling mock-data-gen (the first build takes a few minutes, because it includes librdkafka, OpenSSL and jemalloc)"
	@cargo build --quiet --locked
	@target/debug/mock-data-gen --bootstrap-servers embedded --seed 42 --fast --count 10000
	@echo
	@echo "What to do next:"
	@echo "  cargo install --locked --path .                                 puts mock-data-gen on your path"
	@echo "  mock-data-gen --sink files --out sample --fast --count 1000     writes a fixture that never changes"
	@echo "  make kafka                                                      starts a real Kafka, at localhost:29092 if that is free"

test: ## All hermetic tests: bytes, laws, distributions, documents, what the user sees
	cargo test --locked --no-fail-fast

lint-targets: ## The library compiles for ARM, for 32 bits and for big-endian processors (needs rustup)
	rustup target add aarch64-unknown-linux-gnu i686-unknown-linux-gnu s390x-unknown-linux-gnu
	for target in aarch64-unknown-linux-gnu i686-unknown-linux-gnu s390x-unknown-linux-gnu; do \
	    cargo check --locked --lib --no-default-features --target $$target || exit 1; done

# Without any feature they run as `make test-soft-sha1`.
test-levels: ## The library's unit tests with the features `verify` and `kafka` alone
	cargo test --locked --no-default-features --features verify --lib
	cargo test --locked --no-default-features --features kafka --lib

lint: ## Formatting, clippy, documentation, shell scripts
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --lib --no-default-features -- -D warnings
	cargo clippy --locked --lib --no-default-features --features verify -- -D warnings
	cargo clippy --locked --lib --no-default-features --features kafka -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet
	shellcheck .ci/run fixtures/make tests/deny/check tests/deploy/check tests/docker/check tests/docker/contained tests/docker/restarts findings/*.sh fuzz/run tests/engines/guide tests/engines/jars tests/engines/run tests/kafka/broker tests/oracles/run

deny: ## Licences, banned crates and sources of all dependencies (needs Python 3 with venv, git)
	tests/deny/check

lint-deploy: ## The Kubernetes manifests in deploy/, by Kubernetes' own schemas, without a cluster (needs Python 3 with venv)
	cargo build --locked
	tests/deploy/check

lint-docker: ## Dockerfile, compose.yaml and launch.json, without a container engine (needs Python 3 with venv, Go, Java 17, Maven)
	cargo build --locked
	tests/docker/check

kafka: ## A real Apache Kafka in the foreground, at port 29092 if that is free, until Ctrl-C (needs Java 17 and Maven)
	tests/kafka/broker run

test-kafka: ## The live tests on a real Apache Kafka (needs Java 17, Maven, kcat, promtool, faketime)
	cargo build --locked --tests
	tests/kafka/broker with cargo test --locked --test kafka -- --ignored --skip far:: --test-threads=4
	tests/kafka/broker with cargo test --locked --test cli kafka -- --ignored

# Without those that need no real broker.
test-kafka-versions: ## The live tests on older brokers, one after the other (VERSIONS="2.8.2 3.9.1"; takes an hour)
	cargo build --locked --tests
	trap 'exit 130' INT; failed=; for version in $(or $(VERSIONS),2.8.2 3.9.1); do \
	    echo "== Kafka $$version"; \
	    KAFKA_VERSION=$$version tests/kafka/broker with cargo test --locked --test kafka -- --ignored \
	        --skip far:: --skip errors:: --skip mock:: --test-threads=2 || failed="$$failed $$version"; \
	done; test -z "$$failed" || { echo "failed on:$$failed"; exit 1; }

test-far: ## Live tests of brokers that are far away, and of 4,000 partitions (needs Java 17, Maven, kcat; takes minutes)
	cargo build --locked --tests
	tests/kafka/broker with cargo test --locked --test kafka far:: -- --ignored --test-threads=1

test-linux: ## A full disk and a folder that is not ours (needs root, for setpriv)
	cargo test --locked --test cli linux:: -- --ignored

torture: ## SIGKILL at random instants on a real Apache Kafka, resumed and compared (ROUNDS=20, SEED=n)
	cargo build --locked
	tests/kafka/broker with tests/torture/kill.py

torture-specs: ## Random streams, faults, partitions and workers, over slow lines and on busy cores, killed and resumed (ROUNDS=20, SEED=n, PARTS=, ONLY=round)
	cargo build --locked
	KAFKA_EXTRA_PROPERTIES=tests/torture/proxied.properties tests/kafka/broker with tests/torture/specs.py

torture-signals: ## Signals at 100 random instants (ROUNDS=N, SEED=N), with the broker up, slow, frozen or killed
	cargo build --locked
	tests/kafka/broker with tests/live/signals

torture-exactly-once: ## A delivery broken at random and named points, by frozen brokers and a proxy, on a real Kafka (ROUNDS=10, SEED=n, DELIVERY=, PARTS=)
	cargo build --locked
	KAFKA_EXTRA_PROPERTIES=tests/torture/proxied.properties tests/kafka/broker with tests/torture/exactly_once.py

torture-copies: ## A second copy of a live run, started again and again (ROUNDS=30, SEED=n, DELIVERY=, LOOPS_S=60)
	cargo build --locked
	tests/kafka/broker with tests/torture/copies.py

torture-cluster: ## Brokers of a cluster of three killed, ended and frozen, partitions reassigned under a live run (ROUNDS=30, SEED=n, DELIVERY=, STOP_S="5 60", WAYS=, REPLICAS=)
	cargo build --locked
	KAFKA_NODES=3 tests/kafka/broker with tests/torture/cluster.py

torture-month: ## A live run from now on topics that retention empties, killed and restarted (ROUNDS=100, SEED=n, DELIVERY=, CONTROL=1)
	cargo build --locked
	KAFKA_EXTRA_PROPERTIES=tests/torture/month.properties tests/kafka/broker with tests/torture/month.py

soak: ## An hour live at 500 requests a second beside a broker that is restarted and paused (SECONDS=3600, SEED=n, DELIVERY=)
	cargo build --locked --release
	GENERATOR=target/release/mock-data-gen tests/kafka/broker with tests/torture/soak.py

torture-long: ## The long forms of all of that, one after the other; takes hours (SEED=n)
	ROUNDS=200 $(MAKE) torture
	ROUNDS=100 $(MAKE) torture-specs
	ROUNDS=100 $(MAKE) torture-signals
	ROUNDS=200 $(MAKE) torture-exactly-once
	ROUNDS=200 PARTS=frozen DELIVERY=idempotent $(MAKE) torture-exactly-once
	ROUNDS=200 PARTS=thaw $(MAKE) torture-exactly-once
	ROUNDS=30 $(MAKE) torture-copies
	ROUNDS=30 $(MAKE) torture-cluster
	ROUNDS=30 DELIVERY=idempotent $(MAKE) torture-cluster
	ROUNDS=30 REPLICAS=2 RATE=1000 WAYS=reassign $(MAKE) torture-cluster
	ROUNDS=30 REPLICAS=2 RATE=1000 WAYS=reassign DELIVERY=idempotent $(MAKE) torture-cluster
	ROUNDS=100 $(MAKE) torture-month
	ROUNDS=100 CONTROL=1 $(MAKE) torture-month
	$(MAKE) soak

test-oracles: ## Ids, stream law, planned faults, catalog, schemas and answer keys recomputed in Python and DuckDB (needs Python 3 with venv)
	cargo build --locked
	tests/oracles/run
	PATH="$$PWD/target/oracles-venv/bin:$$PATH" cargo test --locked --test cli readme::python -- --ignored

test-guide-engines: ## The recipes of docs/guide/engines.md by DuckDB, Polars, pandas, ClickHouse and SQLite (needs Python 3 with venv; 1.2 GB)
	cargo build --locked
	tests/engines/guide

fixtures: ## Makes fixtures/ again: small windows, each about one edge case of joins, with their answer keys
	cargo build --locked
	for made in fixtures/*/; do rm -r "$$made"; done
	dir=$$(mktemp -d) && fixtures/make "$$dir/new" && cp -r "$$dir"/new/* fixtures/ && rm -r "$$dir"

test-fixtures: ## fixtures/ is, byte for byte, what its command makes (needs Python 3)
	cargo build --locked
	dir=$$(mktemp -d) && fixtures/make "$$dir/new" && diff -r --exclude make --exclude README.md "$$dir/new" fixtures && rm -r "$$dir"
	script=$$(sed -n '/^```python/,/^```/{//!p}' fixtures/README.md) && test -n "$$script" && cd fixtures && python3 -c "$$script"

test-engines: ## Apache Flink SQL and Kafka Streams over a real Kafka give the answer key's rows, as Spark over files; the rest of docs/guide/engines.md (needs Java 17, Maven, Python 3; takes minutes)
	cargo build --locked
	tests/engines/run
	tests/engines/guide kafka
	tests/engines/guide spark

test-soft-sha1: ## The golden bytes again: SHA-1 in software, and optimised without debug assertions
	RUSTFLAGS='--cfg sha1_backend="soft"' cargo test --locked --no-default-features --target-dir target/soft-sha1 --profile golden --test core --lib

test-instructions: ## The hot paths in instructions, counted by callgrind, against tests/instructions/counts.json (needs valgrind)
	RUSTFLAGS='--cfg sha1_backend="soft"' cargo build --locked --no-default-features --target-dir target/soft-sha1 --profile golden --bench instructions
	tests/instructions/check "$$(ls -t target/soft-sha1/golden/deps/instructions-* | grep -v '\.d$$' | head -1)"

fuzz: ## Fuzz targets for configuration, properties and verify (SECONDS=60 each; needs a C++ compiler; takes minutes to build)
	fuzz/run $(or $(SECONDS),60)

bench: ## Whole runs against their limits and peers, the hot functions, the cost of a shard (takes a quarter of an hour; COUNT=, ROUNDS=)
	cargo build --locked --release
	cargo bench --locked --no-run
	tests/kafka/broker with env PEERS=1 benches/whole.py
	cargo bench --locked --bench hot
	cargo bench --locked --bench shards

bench-peers: ## Builds the peers that `make bench` compares with (takes a quarter of an hour)
	cargo build --locked --release --manifest-path benches/peers/nexmark/Cargo.toml --target-dir target/peers/build
	cp target/peers/build/release/nexmark-peer target/peers/
	cargo install tpchgen-cli --locked --root target/peers
	python3 -m venv target/peers/venv
	target/peers/venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement benches/peers/requirements.txt

bench-hot: ## The functions that every record goes through, by Criterion
	cargo bench --locked --bench hot

bench-live: ## Live pace on a real Kafka, as an outside consumer sees it (SECONDS=10 for the short form)
	cargo bench --locked --bench live --no-run
	tests/kafka/broker with cargo bench --locked --bench live

bench-delivery: ## What exactly-once delivery costs: records a second, and the time to a read-committed reader (ROUNDS=, COUNT=, SECONDS=)
	cargo build --locked --release
	tests/kafka/broker with benches/delivery.py

bench-sweep: ## Which linger, batch size and compression a backfill should have, on a real Kafka (ROUNDS=, COUNT=; takes ten minutes)
	cargo build --locked --release
	tests/kafka/broker with benches/sweep.py

verify-memory: ## Verify 10 million auctions and 1 million: the memory is the same (takes minutes)
	cargo test --locked --test cli verify_memory:: -- --ignored --nocapture

verify-memory-kafka: ## The same from a real Kafka, by the release binary (takes minutes and 5 GB of disk)
	cargo build --locked --release
	tests/kafka/broker with benches/verify_memory.py

build: ## The release binary
	cargo build --locked --release
