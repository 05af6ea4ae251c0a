#!/usr/bin/env python3
"""A long live run beside a broker that is restarted and paused: `make soak` (SECONDS=3600, SEED=n, DELIVERY=exactly-once).

500 requests a second. Memory must grow by less than 5 % behind the warm-up, threads and descriptors must not grow, the rate must
be right within 0.01 %, and the topics must hold what one run writes, as far as they go. One line of JSON a disturbance, and a summary.
"""

import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import time

from common import BROKER, COMMITTED, DONE, SEED, Node, Quiet, Window, ago, end_live, finish_live, number, say, tail

LENGTH_S = number("SECONDS", 3600)
DELIVERY = os.environ.get("DELIVERY") or "exactly-once"
RATE = 500
GROWTH_MAX, RATE_ERROR_MAX = 0.05, 0.0001
# A signal is seen within this time; in a short form more than the rate's own bound.
SIGNAL_S = 0.05
WAYS = ["pause", "SIGKILL", "SIGTERM"]
AWAY_S, WARMING_AWAY_S = (1, 10), 20
# The warm-up has one disturbance of each way, longer than any, which fills the queue (16 MiB, at 1 MB/s): what is kept while a broker
# is away is room that stays.
WARM_UP_S = max(150, LENGTH_S * 0.1)
DISTURBANCES = max(2, LENGTH_S // 150)
# Behind the last one the run catches up.
QUIET_S = max(20, LENGTH_S * 0.05)


def state(pid):
    """Resident memory in kB, threads, descriptors."""
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]), int(status["Threads"]), len(os.listdir(f"/proc/{pid}/fd"))


def disturb(node, way, away_s):
    if way == "pause":
        node.freeze()
        time.sleep(away_s)
        node.thaw()
    else:
        node.end(getattr(signal, way))
        time.sleep(away_s)
        node.start()
    node.wait()


def live(process, node, rng, begin):
    """Plays until the end, disturbed; samples of the process by seconds since `begin`."""
    # The last one must be over before the quiet: none is longer than 20 s, with the broker's start.
    spread = (LENGTH_S - QUIET_S - WARM_UP_S - 20) / DISTURBANCES
    warming = [(WARM_UP_S * (index + 0.5) / (len(WAYS) + 1), way, WARMING_AWAY_S) for index, way in enumerate(WAYS)]
    due = warming + [(WARM_UP_S + spread * (index + rng.uniform(0, 0.8)), rng.choice(WAYS), rng.uniform(*AWAY_S))
                     for index in range(DISTURBANCES)]
    samples, step_s = [], max(1, LENGTH_S / 1000)
    while (now := time.monotonic() - begin) < LENGTH_S and process.poll() is None:
        if due and now >= due[0][0]:
            _, way, away_s = due.pop(0)
            disturb(node, way, away_s)
            say(at_s=round(now), seed=SEED, way=way, away_s=round(away_s, 1), memory_kb=state(process.pid)[0])
        samples.append((time.monotonic() - begin, *state(process.pid)))
        time.sleep(step_s)
    return samples


def growth(samples):
    """Of memory, threads and descriptors: what the last tenth has more than the first one behind the warm-up, as medians."""
    warm = [sample for sample in samples if sample[0] >= WARM_UP_S]
    tenth = max(5, len(warm) // 10)
    parts = [[statistics.median(sample[which] for sample in part) for which in (1, 2, 3)] for part in (warm[:tenth], warm[-tenth:])]
    return [{"first": first, "last": last} for first, last in zip(*parts)]


def last_request_ms(window):
    """The time of the furthest request that readers see."""
    reader = subprocess.run(["kcat", "-b", BROKER, "-C", "-X", COMMITTED, "-t", window.requests, "-o", "-1000", "-e", "-q", "-f",
                             "%T\n"], capture_output=True, text=True, check=True)
    return max(map(int, reader.stdout.split()))


def main():
    failed, rng, node, said = [], random.Random(SEED), Node(), Quiet()
    window = Window(f"soak-{SEED}", delivery=DELIVERY, rate=RATE, epoch=ago(0))
    say(seed=SEED, seconds=LENGTH_S, delivery=DELIVERY, epoch=window.epoch, disturbances=len(WAYS) + DISTURBANCES)
    begin, begin_ms = time.monotonic(), time.time() * 1000
    process = window.start(stderr=said.file)
    try:
        samples = live(process, node, rng, begin)
        signalled, signalled_ms = time.monotonic(), time.time() * 1000
        exit_code = end_live(process)
        took_s = signalled - begin
        # By how much the two clocks went apart here: the program paces by one, this judges by the other.
        clocks_ms = (signalled_ms - begin_ms) - took_s * 1000
        behind_s = (signalled_ms - last_request_ms(window)) / 1000
        result = finish_live(window)
        memory, threads, descriptors = growth(samples)
        grown = memory["last"] / memory["first"] - 1
        say(summary=True, seed=SEED, delivery=DELIVERY, seconds=round(took_s, 1), **result, exit=exit_code, memory_kb=memory, memory_growth=round(grown, 4), memory_max_kb=max(sample[1] for sample in samples), threads=threads,
            descriptors=descriptors, behind_s=round(behind_s, 4), rate_error=round(behind_s / took_s, 8), clocks_apart_ms=round(clocks_ms, 2))
        if result["verdict"] != "clean" or exit_code != DONE:
            failed.append(f"the log, or the run: {tail(said.text())}")
        if grown >= GROWTH_MAX or threads["last"] > threads["first"] or descriptors["last"] > descriptors["first"]:
            failed.append("it grew")
        if abs(behind_s) > max(RATE_ERROR_MAX * took_s, SIGNAL_S):
            failed.append("the rate is wrong")
    finally:
        end_live(process)
        node.close()
    if failed:
        sys.exit(f"soak: SEED={SEED} DELIVERY={DELIVERY}: {failed}")


if __name__ == "__main__":
    main()
