#!/usr/bin/env python3
"""What chooses the defaults of a backfill: `make bench-sweep` (ROUNDS=5, COUNT=300000, ONLY=linger.ms).

Plays the same window at full speed into a real Kafka, with one property of the client at a time other than the default; all of them in
turn, in another order each time, ROUNDS times over, and medians of that. Prints one line of JSON a value, and a table. GENERATOR
names another build, such as one with another bound of the queue, which no property sets.
"""

import json
import os
import random
import statistics
from pathlib import Path

from whole import BROKER, ROUNDS, delete, figures, measure, own

COUNT = int(os.environ.get("COUNT") or 300_000)
ONLY = os.environ.get("ONLY")
DEFAULTS = {"linger.ms": "20", "batch.size": "1000000", "compression.type": "lz4"}
VALUES = {
    "linger.ms": ["0", "5", "20", "50", "100", "200"],
    "batch.size": ["16384", "65536", "262144", "1000000", "4000000"],
    "compression.type": ["none", "lz4", "snappy", "zstd", "gzip"],
}


def cells():
    """What is measured: the defaults once, then each other value alone."""
    yield "default", dict(DEFAULTS)
    for key, values in VALUES.items() if not ONLY else [(ONLY, VALUES[ONLY])]:
        yield from ((f"{key} {value}", DEFAULTS | {key: value}) for value in values if value != DEFAULTS[key])


def stored(prefix):
    """Bytes that the topics take on the broker's disk."""
    return sum(path.stat().st_size for path in Path(os.environ["KAFKA_DATA"]).glob(f"log*/{prefix}-*/*.log"))


def play(name, properties):
    given = [word for pair in properties.items() for word in ("-X", "=".join(pair))]
    found = measure(own("--bootstrap-servers", BROKER, *given, topics=name, count=COUNT))
    report = figures(found["said"])
    size = stored(name)
    delete(name)
    records = report["records"]
    return {"records_per_s": records / report["seconds"], "cpu_ns_per_record": found["cpu"] / records * 1e9, "rss_mib": found["rss"] / 1024,
            "stored_bytes_per_record": size / records}


def main():
    # A broker that was only just started compiles its own code.
    play("warm", DEFAULTS)
    found = {name: [] for name, _ in cells()}
    for number in range(ROUNDS):
        turn = list(enumerate(cells()))
        # A broker gets faster for a while: no value may always come first.
        random.Random(number).shuffle(turn)
        for index, (name, properties) in turn:
            found[name].append(play(f"s{number}-{index}", properties))
    rows = {name: {key: round(statistics.median(one[key] for one in of)) for key in of[0]} for name, of in found.items()}
    for name, row in rows.items():
        print(json.dumps({"cell": name, **row, "each": [round(one["records_per_s"]) for one in found[name]]}))
    base = rows["default"]["records_per_s"]
    print(f"\n{'':26}{'records/s':>10}{'ratio':>7}{'CPU ns/rec':>12}{'memory':>10}{'stored B/rec':>14}")
    for name, row in rows.items():
        print(f"{name:26}{row['records_per_s']:>10,}{row['records_per_s'] / base:>7.2f}{row['cpu_ns_per_record']:>12,}{row['rss_mib']:>6} MiB"
              f"{row['stored_bytes_per_record']:>14,}")


main()
