#!/usr/bin/env python3
"""Whole processes against their limits and their peers, in turn, in one run: `make bench` (ROUNDS=5, COUNT=500000).

Every figure is the median of ROUNDS; what is compared runs in turn, so that a busy machine slows both. Prints one line of JSON a row,
and a table. With KAFKA_BOOTSTRAP (tests/kafka/broker with ...) the rows of Kafka are there, with PEERS the peers that were built.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("GENERATOR", ROOT / "target/release/mock-data-gen")
ROUNDS = int(os.environ.get("ROUNDS") or 5)
COUNT = int(os.environ.get("COUNT") or 500_000)
BROKER = os.environ.get("KAFKA_BOOTSTRAP")
PEERS = ROOT / "target/peers"
STAGES = ["bid-requests", "bid-responses", "impressions", "clicks"]
LINGER, COMPRESSION = os.environ.get("LINGER", "20"), os.environ.get("COMPRESSION", "lz4")


def limits():
    found = sorted((ROOT / "target/release/deps").glob("limits-*"), key=os.path.getmtime)
    return [path for path in found if path.suffix == ""][-1]


def measure(command, stdout=subprocess.DEVNULL):
    """Runs a process; wall and CPU seconds, largest resident memory in KiB, and what it printed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.NamedTemporaryFile() as memory:
        # A child begins with our own resident memory in its books; GNU time's is small.
        command = ["/usr/bin/time", "-f", "%M", "-o", memory.name, *map(str, command)]
        begin = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out if stdout == "keep" else stdout, stderr=err)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begin
        out.seek(0), err.seek(0)
        said = (out.read() + err.read()).decode(errors="replace")
        resident = int(memory.read() or 0)
    if status:
        sys.exit(f"{command}: {said[-2000:]}")
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "rss": resident, "said": said}


def figures(said):
    """The line of JSON that our programs end with."""
    for line in reversed(said.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    return {}


def own(*args, topics=None, count=COUNT):
    command = [PROGRAM, "--fast", "--count", count, "--report", "json", "--quiet", *args]
    for stage in STAGES if topics else []:
        command += [f"--topic-{stage}", f"{topics}-{stage}"]
    return command


class Table:
    def __init__(self):
        self.rows = []

    def row(self, name, ours, limit=None, limit_name="", **more):
        """`ours` and `limit` are lists of measurements with `records`, `bytes`, `wall`, `cpu`, `rss`."""
        median = lambda key, of: statistics.median(one[key] for one in of)
        records, size = ours[0]["records"], ours[0]["bytes"]
        row = {"row": name, "records": records, "bytes": size, "wall_s": round(median("wall", ours), 4), "cpu_s": round(median("cpu", ours), 4),
               "records_per_s": round(records / median("wall", ours)), "mb_per_s": round(size / median("wall", ours) / 1e6, 1),
               "cpu_ns_per_record": round(median("cpu", ours) / max(records, 1) * 1e9), "rss_kib": round(median("rss", ours)), **more}
        if limit:
            rate = lambda of: median("bytes", of) / median("wall", of) if limit[0]["bytes"] else median("records", of) / median("wall", of)
            row |= {"limit": limit_name, "of_limit": round(rate(ours) / rate(limit), 3), "limit_mb_per_s": round(limit[0]["bytes"] / median("wall", limit) / 1e6, 1)}
        self.rows.append(row)
        print(json.dumps(row), flush=True)

    def print(self):
        print(f"\n{'':34}{'records/s':>12}{'MB/s':>9}{'CPU ns/rec':>12}{'memory':>12}   limit")
        for row in self.rows:
            limit = f"{row['of_limit']:.2f} of {row['limit']}" if "limit" in row else row.get("note", "")
            print(f"{row['row']:34}{row['records_per_s']:>12,}{row['mb_per_s']:>9,.0f}{row['cpu_ns_per_record']:>12,}{row['rss_kib'] / 1024:>8.1f} MiB   {limit}")


def ours(command, stdout="keep"):
    """Our program: what its report counts, over the whole process from start to end."""
    found = measure(command, stdout)
    report = figures(found["said"])
    return {**found, "records": report["records"], "bytes": report["bytes"]}


def limit(*args):
    """A limit: over its own work, without what it made ready before. Its CPU is not looked at."""
    found = measure([limits(), *args], "keep")
    report = figures(found["said"])
    return {**found, "wall": report["seconds"], "records": report["records"], "bytes": report["bytes"]}


def in_turn(*runs, rounds=ROUNDS):
    """Each of some measurements, in turn, so many times."""
    results = [[] for _ in runs]
    for number in range(rounds):
        for result, run in zip(results, runs):
            result.append(run(number))
    return results


def delete(prefix):
    subprocess.run([ROOT / "tests/kafka/broker", "tool", "TopicCommand", "--bootstrap-server", BROKER, "--delete", "--topic", f"{prefix}.*"],
                   check=True, stdout=subprocess.DEVNULL)


def generation(table, scratch):
    memcpy = lambda _: limit("memcpy", COUNT)
    one, two, copied = in_turn(lambda _: ours(own("--sink", "null", "--threads", 1)), lambda _: ours(own("--sink", "null", "--threads", 2)), memcpy)
    table.row("null, 1 thread", one, copied, "memcpy")
    speed_up = statistics.median(a["wall"] for a in one) / statistics.median(b["wall"] for b in two)
    table.row("null, 2 threads", two, copied, "memcpy", speed_up=round(speed_up, 2))
    out, _ = in_turn(lambda _: ours(own("--sink", "stdout"), subprocess.DEVNULL), memcpy)
    table.row("standard output to /dev/null", out)

    def files(threads):
        folder = Path(scratch) / "files"
        shutil.rmtree(folder, ignore_errors=True)
        found = ours(own("--sink", "files", "--out", folder, "--threads", threads))
        shutil.rmtree(folder)
        return found

    def write(_):
        found = limit("write", COUNT, Path(scratch) / "written")
        (Path(scratch) / "written").unlink()
        return found

    one, two, written = in_turn(lambda _: files(1), lambda _: files(2), write)
    table.row("files on tmpfs, 1 thread", one, written, "write(2)")
    table.row("files on tmpfs, 2 threads", two, written, "write(2)")
    near = lambda _: measure([PROGRAM, "--sink", "stdout", "--fast", "--count", 1, "--quiet"])
    far = lambda _: measure([PROGRAM, "--sink", "stdout", "--fast", "--count", 1, "--quiet", "--from", "5194-11-01T00:00:00Z"])
    near, far = in_turn(near, far, rounds=4 * ROUNDS)
    started = {f"start_ms_{name}": round(statistics.median(one["wall"] for one in of) * 1e3, 2) for name, of in (("auction_0", near), ("auction_1e12", far))}
    print(json.dumps({"row": "process from start to end, one auction", **started}), flush=True)
    return started


def kafka(table):
    def sent(number):
        return ours(own("--bootstrap-servers", BROKER, "-X", f"linger.ms={LINGER}", "-X", f"compression.type={COMPRESSION}", topics=f"w{number}"))

    def bare(number):
        delete(f"w{number}")
        create(f"b{number}")
        found = limit("producer", COUNT, BROKER, f"b{number}", LINGER, COMPRESSION)
        delete(f"b{number}")
        return found

    def create(prefix):
        # By our program, so that the topics are the same; one auction, from another stream.
        measure(own("--bootstrap-servers", BROKER, "--seed", 7, topics=prefix, count=1))

    (ours_sent, bare_sent) = in_turn(sent, bare)
    # Our process looks at the brokers, makes topics and waits for their leaders first; the report's own time begins with the first record.
    within = [{**one, "wall": figures(one["said"])["seconds"]} for one in ours_sent]
    table.row(f"Kafka ({COMPRESSION}, linger {LINGER} ms)", within, bare_sent, "bare librdkafka producer")

    measure(own("--bootstrap-servers", BROKER, topics="v"))
    command = [PROGRAM, "verify", "--bootstrap-servers", BROKER, "--report", "json", "--quiet", "--from", "epoch", "--count", COUNT]
    for stage in STAGES:
        command += [f"--topic-{stage}", f"v-{stage}"]

    def verified(_):
        found = measure(command, "keep")
        counts = figures(found["said"])
        return {**found, "records": counts["records"], "bytes": 0}

    def read(_):
        return limit("consumer", BROKER, "v")

    verified, bare_read = in_turn(verified, read)
    for one in verified:
        one["bytes"] = bare_read[0]["bytes"]
    table.row("verify, from Kafka", verified, bare_read, "bare consumer")
    delete("v")


def peers(table, own_null):
    def nexmark(_):
        found = measure([PEERS / "nexmark-peer", 2 * COUNT], "keep")
        return {**found, **{key: figures(found["said"])[key] for key in ("records", "bytes")}}

    def tpchgen(_):
        # All tables at scale factor 0.3, counted once by `| wc -c`.
        found = measure([PEERS / "bin/tpchgen-cli", "tbl", "-s", "0.3", "--stdout", "-n", 1, "-q"])
        return {**found, "records": 2_598_123, "bytes": 327_094_797}

    def service(_):
        found = measure([PEERS / "venv/bin/python", ROOT / "benches/peers/service.py", 10_000], "keep")
        return {**found, **{key: figures(found["said"])[key] for key in ("records", "bytes")}}

    mine = lambda _: ours(own("--sink", "null", "--threads", 1))
    for name, path, run in [("nexmark crate, serde_json", PEERS / "nexmark-peer", nexmark), ("tpchgen-cli tbl", PEERS / "bin/tpchgen-cli", tpchgen),
                            ("Python service, faker, json", PEERS / "venv/bin/python", service)]:
        if not path.exists():
            print(json.dumps({"row": name, "skipped": f"{path} was not built: make bench-peers"}), flush=True)
            continue
        own_runs, peer_runs = in_turn(mine, run, rounds=min(ROUNDS, 3))
        per_cpu = lambda of, key: statistics.median(one[key] / one["cpu"] for one in of)
        ratio = {"our_mb_per_cpu_s_over_its": round(per_cpu(own_runs, "bytes") / per_cpu(peer_runs, "bytes"), 2),
                 "our_records_per_s_over_its": round(statistics.median(o["records"] / o["wall"] for o in own_runs) / statistics.median(p["records"] / p["wall"] for p in peer_runs), 1)}
        table.row(name, peer_runs, note=f"we make {ratio['our_mb_per_cpu_s_over_its']} x the MB per CPU second, {ratio['our_records_per_s_over_its']} x the records", **ratio)


def main():
    table = Table()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as scratch:
        started = generation(table, scratch)
    if BROKER:
        kafka(table)
    if os.environ.get("PEERS"):
        peers(table, None)
    table.print()
    print(f"{'a process that prints auction 0':34}{started['start_ms_auction_0']:.1f} ms; auction 10^12: {started['start_ms_auction_1e12']:.1f} ms")


if __name__ == "__main__":
    main()
