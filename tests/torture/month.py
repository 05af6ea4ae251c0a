#!/usr/bin/env python3
"""A sped-up month: `make torture-month` (ROUNDS=100, SEED=n, DELIVERY="idempotent exactly-once", RETENTION_S=40, RATE=20, CONTROL=1).

A live run from now writes into topics whose segments last two seconds and whose records last RETENTION_S. Impressions and clicks are
spread over so many partitions that some are emptied again and again and others never hold a record. In each round the run is
killed, stays away for up to a quarter of the retention (a run is refused where its records would be removed at once), and is started
again by the same command, as a restart policy would do up to TRIES times: it has to resume and to write within a minute. A reader that follows the topics all along (kcat, read-committed) must in the end hold, for each partition, exactly the sequence
that `--sink stdout` gives, and what is left in the topics must be the end of that. Only records that had expired before they
were written, because the run was away for longer than they last, may be removed before the reader comes; they are counted as unseen.

CONTROL=1 deletes the run's group with Kafka before each start; without its offsets a run must be refused (exit code 3) at some
restart. One line of JSON a round, and a summary for each delivery.
"""

import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import time

from common import (BROKER, COMMITTED, DONE, IO_OR_KAFKA, LINE, PROGRAM, SEED, STAGES, STARTED, Quiet, Window, ago, base64, end_live, number, rfc3339, say,
                    tail)
from wire import Admin

ROUNDS = number("ROUNDS", 100)
DELIVERIES = (os.environ.get("DELIVERY") or "idempotent exactly-once").split()
RETENTION_S = number("RETENTION_S", 40)
RATE = number("RATE", 20)
CONTROL = number("CONTROL", 0)
GROUP = "mock-data-gen-"
PATIENCE_S = 60
CATCH_UP_S = 10
# Retention may remove records while a start reads them; the next one finds others.
TRIES = 5
# What a partition may owe when the run is told to end: what was due in its last moment, or behind the last commit.
OWED_MS = 2_500
FORMAT = "%p|%o|%T|%k|%h|%S|%s\n"
Seen = collections.namedtuple("Seen", "offset timestamp key headers value")


class Month(Window):
    """A window from now."""

    def bound(self):
        return []

    def command(self, *more):
        delivery = ["--delivery", self.delivery] if self.delivery != "idempotent" else []
        return [PROGRAM, "run", "--bootstrap-servers", BROKER, *self.options, *delivery, "--log-format", "json", *more]

    def read(self, *how):
        """A reader of each topic."""
        for topic in self.topics:
            yield ["kcat", "-b", BROKER, "-C", "-X", COMMITTED, "-t", topic, "-o", "beginning", "-q", "-f", FORMAT, *how]


class Collector:
    """Reads all topics from their beginning on and keeps all."""

    def __init__(self, window):
        self.files = [tempfile.NamedTemporaryFile() for _ in STAGES]
        self.readers = [subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL) for command, file in zip(window.read("-u"), self.files)]
        STARTED.extend(self.readers)

    def has_all(self, left):
        held = self.records()
        return all(held[at] and held[at][-1].offset >= records[-1].offset for at, records in left.items())

    def records(self):
        held = collections.defaultdict(list)
        for stage, file in enumerate(self.files):
            with open(file.name, "rb") as lines:
                add(held, stage, lines)
        return held

    def close(self):
        for reader in self.readers:
            reader.kill()
            reader.wait()


def add(held, stage, lines):
    for line in lines:
        if not line.endswith(b"\n"):
            break
        partition, offset, timestamp, key, headers, size, value = line[:-1].split(b"|", 6)
        held[stage, int(partition)].append(Seen(int(offset), int(timestamp), key, headers, b"null" if size == b"-1" else value))


def left_in(window):
    held = collections.defaultdict(list)
    for stage, command in enumerate(window.read("-e")):
        add(held, stage, subprocess.run(command, capture_output=True, check=True).stdout.splitlines(keepends=True))
    return held


def sequence(window, begin_ms, end_ms):
    """What belongs into each partition, of auctions within these times."""
    held = collections.defaultdict(list)
    for partitions in sorted(set(window.partitions)):
        command = [PROGRAM, "run", "--fast", "--quiet", "--sink", "stdout", *window.stream, "--partitions", str(partitions), "--from", rfc3339(begin_ms), "--to",
                   rfc3339(end_ms)]
        for line in subprocess.run(command, capture_output=True, check=True).stdout.splitlines():
            topic, partition, key, timestamp, headers, form, value = LINE.match(line).groups()
            stage = STAGES.index(topic.decode())
            if window.partitions[stage] == partitions:
                named = ",".join(f"{name}={value}" for name, value in json.loads(headers or "{}").items()).encode()
                value = value if form == b"value" else base64.b64decode(value.strip(b'"'))
                held[stage, int(partition)].append(Seen(None, int(timestamp), key, named, value))
    return held


def judge(window, collected, left, end_ms, away):
    """Counts of what is wrong, and what the reader could not see."""
    first = min((records[0].timestamp for (stage, _), records in collected.items() if stage == 0), default=end_ms)
    # The run goes on for some milliseconds behind its end.
    wanted, found = sequence(window, first, end_ms + 10_000), collections.Counter(lost=0, doubled=0, wrong=0, owed=0, not_an_end=0, unseen=0)
    for at in set(wanted) | set(collected):
        right, seen = wanted[at], collected.get(at, [])
        index, before = 0, -1
        for record in seen:
            place = index
            while place < len(right) and right[place][1:] != record[1:]:
                place += 1
            if place == len(right):
                known = any(other[1:] == record[1:] for other in right[:index])
                found["doubled" if known else "wrong"] += 1
                continue
            skipped = right[index:place]
            # Behind one another stand records and ends of transactions only, so what was not seen took offsets.
            expired = record.offset - before - 1 >= len(skipped) and all(is_expired(one.timestamp, away) for one in skipped)
            found["unseen" if expired else "lost"] += len(skipped)
            if window.delivery == "idempotent" and record.offset != place:
                found["wrong"] += 1
            index, before = place + 1, record.offset
        found["owed"] += sum(one.timestamp < end_ms - OWED_MS and not is_expired(one.timestamp, away) for one in right[index:])
        remaining = left.get(at, [])
        found["not_an_end"] += [one[:3] for one in seen[len(seen) - len(remaining):]] != [one[:3] for one in remaining]
    return dict(found)


def is_expired(timestamp, away):
    """Whether a record of that time was older than the retention when it could be written."""
    return any(begin_ms - 1000 <= timestamp and back_ms - timestamp >= (RETENTION_S - 1) * 1000 for begin_ms, back_ms in away if timestamp <= back_ms)


def make(delivery, rng):
    """A window, and its topics."""
    window = Month(f"month-{SEED}-{delivery}" + ("-control" if CONTROL else ""), delivery=delivery, rate=RATE, epoch=ago(1), partitions=[3, 6, 8, rng.choice([12, 50])],
                   more=["--bid-response-rate", "0.5", "--win-rate", "0.3", *rng.choice([[], ["--key-by", "user", "--users", "40"], ["--headers"]])])
    ADMIN.create(dict(zip(window.topics, window.partitions)), segment_ms=2000, retention_ms=RETENTION_S * 1000, message_timestamp_after_max_ms=(1 << 63) - 1)
    return window


def restart(window, before):
    """Starts the run, again if it ends with an error; whether it writes, what it said, and its earlier exits."""
    ended = []
    while True:
        said = Quiet()
        process = window.start(stderr=said.file)
        good = window.wait_for_growth(process, before, PATIENCE_S, COMMITTED) is not None
        if good or process.poll() is None or len(ended) == TRIES - 1:
            return process, said, good, ended
        ended.append({"exit": process.returncode, "said": tail(said.text(), 300)})


def play(delivery):
    """A life; what failed in it."""
    rng = random.Random(f"{SEED}/{delivery}")
    window = make(delivery, rng)
    collector = Collector(window)
    say(delivery=delivery, seed=SEED, command=" ".join(window.command()), partitions=window.partitions, control=bool(CONTROL))
    process, said, good, _ = restart(window, 0)
    kills, away, emptied, again = 0, [], 0, 0
    for done in range(1, ROUNDS + 1):
        if not good:
            break
        time.sleep(rng.choice([rng.uniform(0, 1), rng.uniform(0, 5)]))
        killed = rng.random() < 0.9
        if killed:
            process.kill()
            process.wait()
            kills += 1
        else:
            end_live(process)
        begin_ms, away_s = time.time() * 1000, rng.choice([0, rng.uniform(0, 3), rng.uniform(0, RETENTION_S / 4)])
        time.sleep(away_s)
        if CONTROL:
            ADMIN.delete_groups([group for group in ADMIN.groups() if group.startswith(GROUP)])
        ends, lows = window.ends(), window.ends(at=-2)
        empty = sum(ends[at] == lows[at] > 0 for at in ends)
        never = sum(ends[at] == 0 for at in ends)
        emptied += empty > 0
        process, said, good, ended = restart(window, window.stored(COMMITTED))
        again += len(ended)
        away.append((begin_ms, time.time() * 1000))
        say(round=done, delivery=delivery, seed=SEED, good=good, killed=killed, away_s=round(away_s, 1), emptied=empty, never_filled=never,
            took_s=round((away[-1][1] - begin_ms) / 1000 - away_s, 1), ended=ended, **({} if good else {"exit": process.poll(), "said": tail(said.text(), 900)}))
    return window, collector, process, said, good, {"kills": kills, "rounds_with_emptied": emptied, "started_again": again}, away


def finish(window, collector, process, said, good, counts, away):
    refused = process.poll()
    if good:
        # Back from its last absence it catches up.
        time.sleep(CATCH_UP_S)
    end_ms, last = time.time() * 1000, end_live(process)
    time.sleep(1)
    left = left_in(window)
    deadline = time.monotonic() + 30
    while not collector.has_all(left) and time.monotonic() < deadline:
        time.sleep(0.5)
    collected = collector.records()
    collector.close()
    found = judge(window, collected, left, end_ms, away)
    wrong = {name: count for name, count in found.items() if count and name != "unseen"}
    say(summary=True, delivery=window.delivery, seed=SEED, **counts, records=sum(map(len, collected.values())), left=sum(map(len, left.values())), **found,
        last_exit=last, control=bool(CONTROL), groups=ADMIN.groups(), upper_bound_95=round(3 / max(1, counts["kills"]), 4))
    if CONTROL:
        return [] if refused == IO_OR_KAFKA and not (wrong.keys() - {"owed"}) else [f"{window.delivery}: the control was not refused: {refused}, {wrong}"]
    return [] if good and not wrong and last == DONE else [f"{window.delivery}: {wrong}, exit {last}: {tail(said.text())}"]


def main():
    global ADMIN
    ADMIN = Admin(BROKER)
    say(seed=SEED, rounds=ROUNDS, deliveries=DELIVERIES, retention_s=RETENTION_S, rate=RATE)
    failed = [why for delivery in DELIVERIES for why in finish(*play(delivery))]
    if failed:
        sys.exit(f"torture: SEED={SEED} CONTROL={CONTROL}: {failed}")


if __name__ == "__main__":
    main()
