#!/usr/bin/env python3
"""Brokers of a cluster of three are killed, ended and frozen, partitions are reassigned and leaders elected: `make torture-cluster`
(ROUNDS=30, SEED=n, DELIVERY=exactly-once, STOP_S="5 60", WAYS="SIGKILL SIGTERM SIGSTOP reassign", REPLICAS=3, RATE=200).

A live run writes with replication 3 and two in-sync replicas at least; with REPLICAS=2 one in-sync replica is enough. In each round
one broker (the leader of a random partition, the transaction coordinator, the controller, or a random one), in every fifth round two of them,
gets SIGKILL, SIGTERM or SIGSTOP for some seconds and comes back, or Kafka's own tools give all partitions other replicas, in
another order, and elect the first ones as leaders. The run must go on: read-committed readers see new records within 30 s after a
quorum is back. In the end the topics hold what one run writes, as far as they go. One line of JSON a round.

Under idempotent delivery a change of leaders may store a batch twice (librdkafka 4953). Then the run must end with exit code 4; the
next round begins on new topics.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

from common import (ANOTHER_WRITER, BROKER, COMMITTED, DONE, PARTITIONS, SEED, Node, Quiet, Window, ago, end_live, finish_live, number, say, tail,
                    tool)
from wire import Admin

ROUNDS = number("ROUNDS", 30)
STOP_S = [float(bound) for bound in (os.environ.get("STOP_S") or "5 60").split()]
DELIVERY = os.environ.get("DELIVERY") or "exactly-once"
RATE = number("RATE", 200)
REPLICAS = number("REPLICAS", 3)
RECOVERY_S = 30
PATIENCE_S = 120
# Records of a partition in a second and a half; a transaction takes one second.
GROWN = int(RATE / PARTITIONS * 1.5)
HEAP = "384m"
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGSTOP": signal.SIGSTOP}
WAYS = (os.environ.get("WAYS") or "SIGKILL SIGTERM SIGSTOP reassign").split()


class Run:
    """The live run, which may end with a documented exit code and is then started again by the same command."""

    def __init__(self, window):
        self.window, self.exits = window, []
        self.begin()

    def begin(self):
        self.said = Quiet()
        self.process = self.window.start("--replication-factor", str(REPLICAS), "--log-format", "json", stderr=self.said.file)

    def look(self):
        """Starts it again if it ended; its exit code and words then."""
        if self.process.poll() is None or self.is_over():
            return None
        ended = {"exit": self.process.returncode, "said": tail(self.said.text())}
        self.exits.append(ended["exit"])
        if not self.is_over():
            self.begin()
        return ended

    def is_over(self):
        """Whether it has named damage, which only idempotent delivery may: no run writes there any more."""
        return DELIVERY == "idempotent" and ANOTHER_WRITER in self.exits


def committed(window):
    """How far each partition of the requests goes for readers; none where a leader does not answer."""
    asked = [word for partition in range(PARTITIONS) for word in ("-t", f"{window.requests}:{partition}:-1")]
    try:
        query = subprocess.run(["kcat", "-b", BROKER, "-Q", "-X", COMMITTED, "-X", "socket.timeout.ms=1500", *asked], capture_output=True,
                               text=True, timeout=4)
    except subprocess.TimeoutExpired:
        return None
    ends = {int(partition): int(end) for partition, end in re.findall(r"\[(\d+)\] offset (\d+)$", query.stdout, re.M)}
    return [ends[partition] for partition in range(PARTITIONS)] if len(ends) == PARTITIONS else None


class Recovery:
    """Waits for records that were committed since a quorum was there: in every partition of the requests more than those that a commit under way
    may have brought."""

    def __init__(self, window, since, before):
        self.window, self.since, self.before, self.took_s = window, since, before, None

    def look(self):
        now = committed(self.window) if self.took_s is None else None
        if now is None:
            return
        if self.before is None:
            self.before = now
        elif all(after - before >= GROWN for before, after in zip(self.before, now)):
            self.took_s = time.monotonic() - self.since


def leader(topic, partition):
    look = subprocess.run(["kcat", "-b", BROKER, "-L", "-t", topic, "-m", "5"], capture_output=True, text=True)
    found = re.search(rf"partition {partition}, leader (\d+)", look.stdout)
    return int(found[1]) - 1 if found else None


def controller():
    look = subprocess.run(["kcat", "-b", BROKER, "-L", "-m", "5"], capture_output=True, text=True)
    found = re.search(r"broker (\d+) at \S+ \(controller\)", look.stdout)
    return int(found[1]) - 1 if found else None


def coordinator():
    """The broker that keeps the run's transactions, if there is one."""
    listed = tool("TransactionsCommand", "--bootstrap-server", BROKER, "list")
    found = re.search(r"^mock-data-gen\S*\s+(\d+)\s", listed, re.M)
    return int(found[1]) - 1 if found else None


def choose(rng, window):
    """Whom to hit, and why: indices of brokers."""
    role = rng.choice(["leader", "coordinator", "controller", "any"])
    found = {"leader": lambda: leader(rng.choice(window.topics), rng.randrange(6)), "coordinator": coordinator, "controller": controller,
             "any": lambda: rng.randrange(3)}[role]()
    first = rng.randrange(3) if found is None else found
    others = [index for index in range(3) if index != first]
    return role, [first] + ([rng.choice(others)] if rng.random() < 0.2 else [])


def hit(nodes, way, away_s, run, window):
    """Does it, and brings them back; the recovery, and the ends of the run meanwhile."""
    ended, before, begin = [], committed(window), time.monotonic()
    for node in nodes:
        if way == "SIGSTOP":
            node.freeze()
        else:
            node.send(SIGNALS[way])
    # Two of three are a quorum, so the loss of one has to be overcome without it.
    recovery = Recovery(window, time.monotonic(), before) if len(nodes) == 1 else None
    while time.monotonic() - begin < away_s:
        ended.append(run.look())
        if recovery:
            recovery.look()
        time.sleep(0.05)
    for node in nodes:
        if way == "SIGSTOP":
            node.thaw()
        else:
            node.end(SIGNALS[way])
            node.start(HEAP)
    # A broker takes seconds to start, and the run may recover meanwhile.
    back = threading.Thread(target=lambda: [node.wait() for node in nodes])
    back.start()
    while back.is_alive():
        ended.append(run.look())
        if recovery:
            recovery.look()
        time.sleep(0.05)
    # A thread ends alone where a broker does not come back.
    for node in nodes:
        node.wait(10)
    recovery = recovery or Recovery(window, time.monotonic(), None)
    while recovery.took_s is None and time.monotonic() - recovery.since < PATIENCE_S:
        ended.append(run.look())
        recovery.look()
        time.sleep(0.05)
    return recovery.took_s, [one for one in ended if one]


def reassign(window, rng):
    """Other replicas for all partitions, the first of which lead."""
    replicas = [{"topic": topic, "partition": partition, "replicas": rng.sample([1, 2, 3], REPLICAS)} for topic in window.topics
                for partition in range(PARTITIONS)]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as plan:
        json.dump({"version": 1, "partitions": replicas}, plan)
        plan.flush()
        tool("reassign.ReassignPartitionsCommand", "--bootstrap-server", BROKER, "--reassignment-json-file", plan.name, "--execute")
    # The election fails for partitions whose first replica is not in sync yet, and for none that are led by it.
    elect = ["tests/kafka/broker", "tool", "LeaderElectionCommand", "--bootstrap-server", BROKER, "--election-type", "preferred", "--all-topic-partitions"]
    subprocess.run(elect, capture_output=True)


def move(run, window, rng):
    """Does that, and waits for new records behind it; the recovery, and the ends of the run meanwhile."""
    ended, moving = [], threading.Thread(target=reassign, args=(window, rng))
    moving.start()
    while moving.is_alive():
        ended.append(run.look())
        time.sleep(0.05)
    recovery = Recovery(window, time.monotonic(), committed(window))
    while recovery.took_s is None and time.monotonic() - recovery.since < PATIENCE_S and not run.is_over():
        ended.append(run.look())
        recovery.look()
        time.sleep(0.05)
    return recovery.took_s, [one for one in ended if one]


def rounds(window, run, nodes, failed, rng, first):
    """Rounds until there are enough, or the log cannot be written any more; how long each recovery took."""
    recoveries = []
    for done in range(first, ROUNDS + 1):
        way, (role, chosen), away_s = rng.choice(WAYS), choose(rng, window), rng.uniform(*STOP_S)
        said, before = run.said, run.said.size()
        if way == "reassign":
            role, chosen, away_s = "all", [], 0
            took_s, ended = move(run, window, rng)
        else:
            took_s, ended = hit([nodes[index] for index in chosen], way, away_s, run, window)
        if run.is_over():
            say(round=done, seed=SEED, delivery=DELIVERY, over=True, way=way, ended=ended)
            recoveries.append(0)
            break
        good = took_s is not None and took_s <= RECOVERY_S
        recoveries.append(took_s if took_s is not None else PATIENCE_S)
        say(round=done, seed=SEED, delivery=DELIVERY, good=good, role=role, brokers=[nodes[index].name for index in chosen], way=way, away_s=round(away_s, 1),
            recovered_s=took_s and round(took_s, 2), ended=ended, said=tail(said.text(before), 1_500))
        if not good:
            failed.append(f"round {done}")
        time.sleep(rng.uniform(1, 4))
    return recoveries


def life(nodes, failed, rng, first):
    """Rounds over topics of their own; how long each recovery took."""
    window = Window(f"cluster-{SEED}-{first}", delivery=DELIVERY, rate=RATE, epoch=ago(0.01))
    if REPLICAS < 3:
        Admin(BROKER).create(dict.fromkeys(window.topics, PARTITIONS), REPLICAS, min_insync_replicas=1, message_timestamp_after_max_ms=(1 << 63) - 1)
    say(seed=SEED, rounds=ROUNDS, delivery=DELIVERY, epoch=window.epoch, replicas=REPLICAS, ways=WAYS, rate=RATE)
    run = Run(window)
    try:
        window.wait_for_growth(run.process, 0, 60)
        recoveries = rounds(window, run, nodes, failed, rng, first)
        last = end_live(run.process)
        result = finish_live(window)
        say(summary=True, seed=SEED, delivery=DELIVERY, rounds=len(recoveries), **result, exits=run.exits, last_exit=last,
            recovered_s_max=round(max(recoveries), 2), recovered_s_mean=round(sum(recoveries) / len(recoveries), 2))
        clean = result["verdict"] == "clean" and (last == DONE or run.is_over())
        if not clean and not (run.is_over() and result["verdict"] == "noticed"):
            failed.append(f"the log, or the last run: {tail(run.said.text())}")
        return recoveries
    finally:
        end_live(run.process)


def main():
    failed, done, lives = [], 0, 0
    nodes, rng = [Node(index) for index in range(3)], random.Random(SEED)
    try:
        while done < ROUNDS:
            done, lives = done + len(life(nodes, failed, rng, done + 1)), lives + 1
        say(seed=SEED, delivery=DELIVERY, rounds=done, lives=lives, upper_bound_95=round(3 / ROUNDS, 4))
    finally:
        for node in nodes:
            node.close()
    if failed:
        sys.exit(f"torture: SEED={SEED} DELIVERY={DELIVERY}: {failed}")


if __name__ == "__main__":
    main()
