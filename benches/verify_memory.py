#!/usr/bin/env python3
"""The memory of `verify` from a real Kafka at 1 and at 10 million auctions: `make verify-memory-kafka`.

Prints what was resident at most in each, and their ratio; fails where the longer window takes over a tenth more.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("GENERATOR", ROOT / "target/release/mock-data-gen")
BROKER = os.environ["KAFKA_BOOTSTRAP"]
STAGES = ["bid-requests", "bid-responses", "impressions", "clicks"]
COUNTS = [1_000_000, 10_000_000]


def run(*args, count):
    """Runs the program on topics of its own for this count; its largest resident memory in KiB."""
    topics = [word for stage in STAGES for word in (f"--topic-{stage}", f"m{count}-{stage}")]
    with tempfile.NamedTemporaryFile() as memory:
        # A child begins with our own resident memory in its books; GNU time's is small.
        command = ["/usr/bin/time", "-f", "%M", "-o", memory.name, PROGRAM, *args, "--bootstrap-servers", BROKER, "--count", str(count), "--quiet", *topics]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return int(memory.read())


def main():
    resident = []
    for count in COUNTS:
        run("run", "--fast", count=count)
        resident.append(run("verify", "--from", "epoch", count=count))
        print(f"verify of {count:,} auctions from Kafka: at most {resident[-1]:,} KiB resident", flush=True)
    ratio = resident[1] / resident[0]
    print(f"ratio {ratio:.3f}")
    if ratio > 1.1:
        sys.exit("the memory grows with the window")


main()
