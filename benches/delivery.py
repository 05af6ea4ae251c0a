#!/usr/bin/env python3
"""What each delivery costs on a real Kafka: `make bench-delivery`. Both in turn on the same broker, medians.

Records a second at full speed; and, live at 1,000 requests a second, the time from a request's due time to a read-committed kcat.
"""

import json
import os
import statistics
import subprocess
import sys
import time

PROGRAM = "target/release/mock-data-gen"
BROKERS = os.environ["KAFKA_BOOTSTRAP"]
ROUNDS = int(os.environ.get("ROUNDS", "5"))
COUNT = int(os.environ.get("COUNT", "1000000"))
SECONDS = int(os.environ.get("SECONDS", "20"))
DELIVERIES = ("idempotent", "exactly-once")
STAGES = ("bid-requests", "bid-responses", "impressions", "clicks")


def topics(prefix):
    return [word for stage in STAGES for word in (f"--topic-{stage}", f"{prefix}-{stage}")]


def command(delivery, prefix, *more):
    return [PROGRAM, "--bootstrap-servers", BROKERS, "--delivery", delivery, "--report", "json", *topics(prefix), *more]


def report(process):
    output, errors = process.communicate()
    if process.returncode:
        sys.exit(f"{process.args} ended with {process.returncode}:\n{errors}")
    return json.loads(output)


def start(*args):
    return subprocess.Popen(command(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def speed(delivery, prefix):
    """Records a second."""
    done = report(start(delivery, prefix, "--fast", "--count", str(COUNT)))
    return done["records"] / done["seconds"]


def latency(delivery, prefix):
    """Milliseconds from each request's time to the moment at which kcat shows it."""
    run = start(delivery, prefix, "--from", "now", "--duration", f"{SECONDS}s", "--events-per-second", "1000")
    time.sleep(3)  # The topics are there, and the run has found its rhythm.
    reader = subprocess.Popen(
        ["kcat", "-b", BROKERS, "-C", "-t", f"{prefix}-bid-requests", "-o", "end", "-u", "-q", "-f", "%T\n",
         "-X", "isolation.level=read_committed", "-X", "fetch.wait.max.ms=10"],
        stdout=subprocess.PIPE, text=True)
    late, end = [], time.time() + SECONDS - 6
    for line in reader.stdout:
        now = time.time()
        late.append(now * 1000 - int(line))
        if now > end:
            break
    reader.kill()
    reader.wait()
    report(run)
    return late[len(late) // 10:]


def quantile(values, share):
    return sorted(values)[int(len(values) * share)]


def main():
    speeds = {delivery: [] for delivery in DELIVERIES}
    for turn in range(ROUNDS):
        for delivery in DELIVERIES:
            speeds[delivery].append(speed(delivery, f"speed-{delivery}-{turn}"))
    waits = {delivery: latency(delivery, f"wait-{delivery}") for delivery in DELIVERIES}
    base = statistics.median(speeds["idempotent"])
    print(f"{'delivery':<14}{'records/s':>12}{'ratio':>8}{'to a reader: p50':>18}{'p99':>10}{'records':>10}")
    for delivery in DELIVERIES:
        median, late = statistics.median(speeds[delivery]), waits[delivery]
        p50, p99 = quantile(late, 0.5), quantile(late, 0.99)
        print(f"{delivery:<14}{median:>12,.0f}{median / base:>8.2f}{p50:>15,.0f} ms{p99:>7,.0f} ms{len(late):>10,}")
        print(json.dumps({"delivery": delivery, "records_per_second": [round(s) for s in speeds[delivery]],
                          "wait_ms": {"p50": round(p50, 1), "p99": round(p99, 1), "records": len(late)}}))


main()
