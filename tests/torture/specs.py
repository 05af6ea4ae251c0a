#!/usr/bin/env python3
"""Random streams on random topics, killed and resumed: `make torture-specs` (ROUNDS=100, SEED=n, PARTS="many slow killed random", ONLY=round, DELAY_MS="20 600",
WAYS="direct,busy",
AUCTIONS=10000 at most).

Each round draws a spec with any of the planned faults, partitions for each topic (made beforehand, or by the run), workers, a delivery, and
how the brokers are reached: directly, by a line that takes DELAY_MS each way (a proxy), or with both cores busy. Its runs get
SIGKILL two to four times at random instants, then they are run to their end, and once more: that one has nothing to do. In the end each partition
must be, by kcat, what one run that nothing interrupted writes, and `verify` must agree. One line of JSON a round; one that fails says
its command, and SEED=n ONLY=round plays it alone.

Before the random rounds come inputs that went wrong once: `many` small partitions, a `slow` line, and a stream `killed` on a busy machine.
"""

import math
import os
import random
import shlex
import subprocess
import sys
import time

from common import BROKER, DONE, SEED, Node, Window, ago, differences, number, reference, rfc3339, say, tail
from proxy import Proxy
from wire import Admin

ROUNDS = number("ROUNDS", 20)
AUCTIONS = number("AUCTIONS", 10_000)
ONLY = number("ONLY", 0)
PARTS = (os.environ.get("PARTS") or "many slow killed random").split()
DELAY_MS = [float(bound) for bound in (os.environ.get("DELAY_MS") or "20 600").split()]
# The longest time that a run may need without having hung.
HUNG_S = 900
LONG = 100
# A record without headers is searched for among all auctions of the longest lag, which takes a debug build minutes at more than that.
HOUR_MS = 3_600_000
SEARCHED_PER_SECOND = 5_000
BUSY = "import time\nend = time.monotonic() + 1000\nwhile time.monotonic() < end: pass"
NOTHING = "nothing to do"
# How brokers are reached, or what the topics are like, by weight: a round over a line takes the longest.
WEIGHTS = {"direct": 6, "delayed": 2, "busy": 4, "delayed and busy": 1, "many partitions": 1}
WAYS = {way: WEIGHTS[way] for way in (os.environ.get("WAYS") or ",".join(WEIGHTS)).split(",")}


class Round:
    """A window, how it is reached, and when its runs are killed."""

    def __init__(self, name, window, *, way="direct", workers=1, kills=(), more=(), delays_ms=((0, 0), (0, 0))):
        self.name, self.window, self.way, self.workers, self.kills, self.more = name, window, way, workers, kills, list(more)
        self.delays_ms, self.killed, self.exits = delays_ms, 0, []

    def shards(self):
        return [["--shard", f"{index}/{self.workers}"] if self.workers > 1 else [] for index in range(self.workers)]

    def start(self):
        return [self.window.start(*self.more, *shard, "--quiet") for shard in self.shards()]

    def kill_once(self, early, after_s):
        """All workers, each at its own instant, before they have written or behind that."""
        before = self.window.stored()
        begin, running = time.monotonic(), self.start()
        if not early:
            while self.window.stored() <= before and any(one.poll() is None for one in running) and time.monotonic() - begin < HUNG_S:
                time.sleep(0.005)
        due = time.monotonic()
        for process, wait_s in sorted(zip(running, after_s), key=lambda one: one[1]):
            try:
                process.wait(max(0, due + wait_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                self.killed += 1
            _, said = process.communicate()
            if process.returncode not in (DONE, -9):
                self.exits.append(process.returncode)
                return tail(said.decode())
        return None

    def end(self):
        """Runs all workers to their end, then once more; what was wrong with that."""
        for expected in (None, NOTHING):
            running = [self.window.start(*self.more, *shard) for shard in self.shards()]
            for process in running:
                try:
                    _, said = process.communicate(timeout=HUNG_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                    return f"it hung for {HUNG_S} s"
                self.exits.append(process.returncode)
                if process.returncode != DONE or (expected and expected not in said.decode()):
                    return tail(said.decode())
        return None

    def play(self):
        PROXY.forth_s, PROXY.back_s = [[bound / 1000 for bound in bounds] if bounds[1] else None for bounds in self.delays_ms]
        busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(os.cpu_count())] if "busy" in self.way else []
        try:
            wrong = None
            for early, after_s in self.kills:
                wrong = wrong or self.kill_once(early, after_s)
            wrong = wrong or self.end()
        finally:
            for process in busy:
                process.kill()
                process.wait()
        seen = self.window.seen()
        found = differences(reference(self.window), seen)
        verify, verify_said = self.window.verified()
        good = wrong is None and not any(found.values()) and verify == DONE
        say(round=self.name, good=good, seed=SEED, way=self.way, kills=self.killed, workers=self.workers, delivery=self.window.delivery,
            partitions=self.window.partitions, auctions=self.window.count, records=len(seen), **found, verify=verify, exits=self.exits,
            **({} if good else {"said": wrong, "verify_said": tail(verify_said), "delays_ms": self.delays_ms, "kill_at": self.kills}),
            command=shlex.join(self.window.command(*self.more)))
        if good:
            ADMIN.delete(self.window.topics)
        return good


def share(rng, most=0.3):
    return f"{rng.choice([rng.uniform(0, 0.02), rng.uniform(0, most), rng.uniform(0, 1)]):.4f}"


def spread(rng):
    """A share, and a span or the usual one."""
    return share(rng) + rng.choice(["", f":{rng.randint(1, 2000)}ms", f":{rng.randint(1, 30)}s"])


def idle(rng, seconds):
    stage = rng.choice(["request", "response", "impression", "click"])
    span_ms = min(HOUR_MS, max(2, int(seconds * 1000)))
    return f"{stage}:{rng.randint(1, max(2, int(seconds * 500)))}ms:{rng.randint(1, span_ms)}ms"


def draw_faults(rng, seconds):
    """Options of planned faults: none, a few, or most of them."""
    drawn = {"--late": spread, "--duplicates": spread, "--conflicts": spread, "--orphans": share, "--malformed": share, "--invalid": share,
             "--tombstones": share, "--hot-user": share, "--boundary": lambda rng: share(rng) + rng.choice(["", ":20ms,200ms,2s"]),
             "--idle": lambda rng: idle(rng, seconds)}
    wanted = rng.choice([0, 0.2, 0.5, 0.9])
    return [word for name, value in drawn.items() if rng.random() < wanted for word in (name, value(rng))]


def draw_spec(rng, auctions):
    rate = min(100_000.0, 10 ** rng.uniform(-3, 5.2))
    shares = [f"{rng.choice([rng.random(), 1.0, 0.5]):.3f}" for _ in range(3)]
    epoch = rng.choice(["1970-01-01T00:00:00.001Z", "2026-01-01T00:00:00.000Z", rfc3339(rng.randrange(1, 4_000_000_000_000)), ago(rng.uniform(0.1, 100))])
    spec = ["--seed", str(rng.randrange(1 << 64)), "--epoch", epoch, "--events-per-second", f"{max(rate, 0.001):.3f}",
            "--bid-response-rate", shares[0], "--win-rate", shares[1], "--click-rate", shares[2]]
    keys = rng.choice(["id", "request", "user", None])
    spec += (["--key-by", keys] if keys else []) + (["--headers"] if rng.random() < 0.4 or rate > SEARCHED_PER_SECOND else [])
    spec += ["--users", str(rng.choice([1, 7, 100, 4000]))] if rng.random() < 0.2 else []
    return spec + draw_faults(rng, auctions / rate)


def draw(name):
    """A round, by the seed and its name alone."""
    rng = random.Random(f"{SEED}/{name}")
    way = rng.choices(list(WAYS), WAYS.values())[0]
    delayed = "delayed" in way
    auctions = int(10 ** rng.uniform(2, min(math.log10(AUCTIONS), 3) if delayed else math.log10(AUCTIONS)))
    topics, made = [f"specs-{SEED}-{name}-{stage}" for stage in ("bid-requests", "bid-responses", "impressions", "clicks")], None
    # Each partition is asked on its own, and an answer takes its time.
    most = rng.choice([6, 12]) if delayed else rng.choice([6, 50])
    partitions = [rng.randint(1, most)] * 4
    if way == "many partitions":
        made = [rng.choice([300, 1, 6]), 6, 300, rng.choice([50, 1])]
    elif rng.random() < 0.7:
        made = [rng.choice([1, rng.randint(1, most)]) for _ in topics]
    window = Window(f"specs-{SEED}-{name}", auctions, delivery=rng.choice(["idempotent", "exactly-once"]), spec=draw_spec(rng, auctions),
                    partitions=made or partitions, bootstrap=PROXIED if delayed else None)
    # A worker without a partition is refused.
    workers = min(rng.choice([1, 1, 2, 3]), max(window.partitions))
    kills = [(rng.random() < 0.4, [rng.uniform(0, rng.choice([0.1, 0.5, 2])) for _ in range(workers)]) for _ in range(rng.randint(2, 4))]
    delays_ms = [sorted([rng.uniform(*DELAY_MS), rng.uniform(*DELAY_MS)]) for _ in range(2)]
    return Round(name, window, way=way, workers=workers, kills=kills, delays_ms=delays_ms if delayed else ((0, 0), (0, 0))), made


def make_topics(window, partitions):
    # Times of the windows are old.
    ADMIN.create(dict(zip(window.topics, partitions)), retention_ms=-1, message_timestamp_after_max_ms=(1 << 63) - 1)


def many():
    yield Round("300 partitions", Window(f"specs-{SEED}-many", 20_000, spec=["--seed", "42"], partitions=300)), None


def slow():
    yield slow_round(30, Window(f"specs-{SEED}-slow", 300, spec=["--seed", "42"], bootstrap=PROXIED))
    # Clicks, of a record a partition: the first one that a poll brings after a wait is the last one of its partition.
    few = shlex.split("--seed 42 --win-rate 0.5 --click-rate 0.5")
    yield slow_round(100, Window(f"specs-{SEED}-few", 20, spec=few, bootstrap=PROXIED))
    # Answers that take longer than the steps in which a client waits for them.
    yield slow_round(300, Window(f"specs-{SEED}-far", 300, spec=["--seed", "42"], bootstrap=PROXIED, delivery="exactly-once"))


def slow_round(way_ms, window):
    return Round(f"round trip of {2 * way_ms} ms", window, way="delayed", delays_ms=((way_ms, way_ms), (way_ms, way_ms))), None


def killed():
    partitions, rng = [50, 1, 7, 6], random.Random(f"{SEED}/killed")
    for workers, rate in ((1, 9999.9), (2, 9999.9), (3, 9999.9), (1, 99999.9))[: 4 if ROUNDS >= LONG else 3]:
        spec = shlex.split(f"--seed 5124652533858810433 --epoch 1970-01-01T00:00:00.001Z --events-per-second {rate} --bid-response-rate 0.5 "
                           "--win-rate 1 --click-rate 0.5 --late 0.05 --duplicates 0.05")
        kills = [(early, [rng.uniform(0, 0.7) for _ in range(workers)]) for early in (False, True, True)]
        window = Window(f"specs-{SEED}-killed-{workers}-{int(rate)}", 500, spec=spec, partitions=partitions)
        yield Round(f"killed three times, {workers} workers, {rate}/s", window, way="busy", workers=workers, kills=kills), partitions


def drawn():
    return (draw(name) for name in range(1, ROUNDS + 1))


def rounds():
    if ONLY:
        yield draw(ONLY)
        return
    for part in PARTS:
        yield from {"many": many, "slow": slow, "killed": killed, "random": drawn}[part]()


def main():
    global PROXY, PROXIED, ADMIN
    listeners = Node().properties()
    port = int(listeners["advertised.listeners"].rsplit(":", 1)[1])
    upstream = next(word for word in listeners["listeners"].split(",") if word.startswith("PROXIED")).rsplit(":", 1)[1]
    PROXY, PROXIED, ADMIN = Proxy(port, ("127.0.0.1", int(upstream))), f"127.0.0.1:{port}", Admin(BROKER)
    say(seed=SEED, rounds=ROUNDS, parts=PARTS, delay_ms=DELAY_MS)
    failed, played, kills = [], 0, 0
    for one, made in rounds():
        if made:
            make_topics(one.window, made)
        good = one.play()
        played, kills = played + 1, kills + one.killed
        if not good:
            failed.append(one.name)
    say(summary=True, seed=SEED, rounds=played, kills=kills, failed=failed, upper_bound_95=round(3 / max(1, played), 4))
    if failed:
        sys.exit(f"torture: SEED={SEED}: not what an uninterrupted run writes: rounds {failed}")


if __name__ == "__main__":
    main()
