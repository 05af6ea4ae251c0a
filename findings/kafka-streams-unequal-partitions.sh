#!/usr/bin/env bash
# Kafka Streams 4.3.1 under its classic protocol joins topics of 12 and of 6 partitions without repartitioning, stays RUNNING and says
# nothing: only those keys meet whose partitions have the same number, so half of the matches are missing. Its documentation requires
# co-partitioned topics; the check is skipped where a topology has no repartition topic. Under equal counts all matches are there.
# Runs tests/engines/Joins.java on a broker of tests/kafka/broker: 1,000 left records with 500 matches. Needs Java 17 and Maven.
# Fails if this is no longer so.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
libs=$(tests/engines/jars streams)
find "$libs" -name 'kafka-streams-*.jar' -printf '%f\n' | grep -v scala
# shellcheck disable=SC2016 # the inner shell expands it
tests/kafka/broker with bash -c 'java -cp "$0/*" tests/engines/Joins.java "$KAFKA_BOOTSTRAP" "$1"' "$libs" "$folder/state" 2>"$folder/errors" |
    tee "$folder/seen" || { cat "$folder/errors" >&2 && exit 1; }
grep 'matched over unequal counts' "$folder/errors"
diff - "$folder/seen" <<'EXPECTED'
left join, 12 and 12 partitions: 500 of 500 matched, 0 of 500 came alone
join, 12 and 6 partitions, RUNNING: fewer than 500 matched
EXPECTED
