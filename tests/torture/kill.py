#!/usr/bin/env python3
"""SIGKILL at random instants: `make torture` (ROUNDS=20, SEED=n, FAULTS="--late 0.05:2s --tombstones 0.1").

A bounded window is played at full speed into a real Kafka (KAFKA_BOOTSTRAP). In each round the generator is killed after a
random number of records, while records are in flight, and started again by the same command. In the end every partition must
hold, by kcat, exactly what one run that nothing interrupted writes. One line of JSON a round, and a summary.

FAULTS are options of planned faults, given to generator and verifier. Values that are no JSON are compared as bytes, and a record
without one as none.

A control does it wrong on purpose (`--resume never` after a kill): this harness has to report that.
"""

import base64
import collections
import hashlib
import json
import os
import random
import re
import shlex
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

PROGRAM = os.environ.get("GENERATOR", "target/debug/mock-data-gen")
BROKER = os.environ["KAFKA_BOOTSTRAP"]
ROUNDS = int(os.environ.get("ROUNDS", "20"))
FAULTS = shlex.split(os.environ.get("FAULTS", ""))
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
AUCTIONS_A_ROUND = 20_000
PARTITIONS = 6
STAGES = ["bid-requests", "bid-responses", "impressions", "clicks"]
REQUESTS_PER_SECOND_MIN = 5_000
# A round that could not prove that records were in flight, at this rate at least, is not counted; more than this share of them is a failure.
UNPROVEN_MAX = 0.5
ANOTHER_WRITER = 4
LINE = re.compile(rb'^\{"topic":"([^"]+)","partition":(\d+),"key":"([^"]+)","timestamp":(\d+),"(value|value_base64)":(.*)\}$', re.S)


def say(**fields):
    print(json.dumps(fields), flush=True)


class Window:
    """Topics of their own, and the options of the run that fills them."""

    def __init__(self, prefix, count):
        # Recent times: a broker forgets idempotent producers whose record times are older than a day.
        epoch = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=2)
        self.topics = [f"{prefix}-{stage}" for stage in STAGES]
        self.options = ["--seed", str(SEED), "--epoch", epoch.strftime("%Y-%m-%dT%H:%M:%SZ"), "--count", str(count)]
        self.options += ["--events-per-second", "200", "--click-rate", "0.3", "--partitions", str(PARTITIONS), *FAULTS]
        for stage, topic in zip(STAGES, self.topics):
            self.options += [f"--topic-{stage}", topic]
        self.requests = self.topics[0]

    def command(self, *more):
        return [PROGRAM, "run", "--fast", "--bootstrap-servers", BROKER, *self.options, *more]

    def ends(self):
        """End offsets of all partitions, asked by kcat; none before the topics exist."""
        asked = [f"{topic}:{partition}:-1" for topic in self.topics for partition in range(PARTITIONS)]
        query = ["kcat", "-b", BROKER, "-Q"] + [word for ask in asked for word in ("-t", ask)]
        result = subprocess.run(query, capture_output=True, text=True)
        found = re.findall(r"^(\S+) \[(\d+)\] offset (\d+)$", result.stdout, re.M)
        return {(topic, int(partition)): int(offset) for topic, partition, offset in found}

    def reference(self):
        """What one run that nothing interrupted writes: the records' partitions in order, and each partition's hash and lines."""
        played = subprocess.Popen([PROGRAM, "run", "--fast", "--sink", "stdout", *self.options], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL)
        order, hashes, lines = [], collections.defaultdict(hashlib.sha256), collections.defaultdict(list)
        for line in played.stdout:
            topic, partition, key, timestamp, form, value = LINE.match(line.rstrip(b"\n")).groups()
            at = (topic.decode(), int(partition))
            add(hashes[at], lines[at], timestamp, key, value if form == b"value" else base64.b64decode(value.strip(b'"')))
            order.append(at)
        assert played.wait() == 0
        return order, hashes, lines

    def seen(self):
        """The same of what the topics hold, by kcat."""
        hashes, lines = collections.defaultdict(hashlib.sha256), collections.defaultdict(list)
        for topic in self.topics:
            reader = subprocess.Popen(["kcat", "-b", BROKER, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%p|%T|%k|%S|%s\n"],
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            for line in reader.stdout:
                partition, timestamp, key, size, value = line.rstrip(b"\n").split(b"|", 4)
                at = (topic, int(partition))
                add(hashes[at], lines[at], timestamp, key, b"null" if size == b"-1" else value)
            assert reader.wait() == 0
        return hashes, lines


def add(digest, lines, timestamp, key, value):
    record = b"%s|%s|%s\n" % (timestamp, key, value)
    digest.update(record)
    # Key and record, short: enough to tell a lost record from an altered one.
    lines.append((hashlib.blake2b(key, digest_size=8).digest(), hashlib.blake2b(record, digest_size=8).digest()))


def differences(reference, window):
    """Records lost, doubled, altered and reordered, over partitions whose SHA-256 differs."""
    _, hashes, lines = reference
    seen_hashes, seen_lines = window.seen()
    found = collections.Counter(lost=0, doubled=0, altered=0, reordered=0, foreign=0)
    for at in set(hashes) | set(seen_hashes):
        if at in hashes and at in seen_hashes and hashes[at].digest() == seen_hashes[at].digest():
            continue
        wanted, seen = collections.Counter(lines[at]), collections.Counter(seen_lines[at])
        missing, extra = wanted - seen, seen - wanted
        keys = {key for key, _ in wanted}
        found["doubled"] += sum(count for line, count in extra.items() if line in wanted)
        altered = sum(count for line, count in extra.items() if line not in wanted and line[0] in keys)
        found["altered"] += altered
        found["foreign"] += sum(count for line, count in extra.items() if line[0] not in keys)
        found["lost"] += max(0, sum(missing.values()) - altered)
        first = list(dict.fromkeys(seen_lines[at]))
        expected = [line for line in lines[at] if line in seen]
        found["reordered"] += sum(a != b for a, b in zip((line for line in first if line in wanted), expected))
    return dict(found)


def in_flight_at_least(order, ends):
    """Records that the writer had sent for sure and the log did not get: all that stand before the furthest one that it has."""
    places, left = [], dict(ends)
    furthest = 0
    for index, at in enumerate(order):
        if left.get(at, 0) > 0:
            left[at] -= 1
            furthest = index + 1
        else:
            places.append(index)
        if not any(left.values()):
            break
    return sum(index < furthest for index in places)


def play_until_killed(window, randomness, *more):
    """Starts the generator, kills it while it sends, and says how that went; its exit code if it ended before."""
    wanted = randomness.randrange(2_000, 25_000)
    jitter = randomness.uniform(0, 0.05)
    before = window.ends()
    begin = {"records": sum(before.values()), "requests": 0}
    with open(os.devnull, "wb") as nowhere:
        ours = subprocess.Popen(window.command(*more), stdout=nowhere, stderr=subprocess.PIPE)
        last, since, grew, sample = begin["records"], None, False, (time.monotonic(), before)
        while ours.poll() is None:
            ends = window.ends()
            records = sum(ends.values())
            if records > last and since is None:
                since = sample
            grew, last, sample = records > last, records, (time.monotonic(), ends)
            if grew and records - begin["records"] >= wanted:
                break
            time.sleep(0.005)
        time.sleep(jitter)
        if ours.poll() is not None:
            return {"ended": ours.returncode, "said": ours.stderr.read().decode()}
        ours.kill()
        killed = time.monotonic()
        at_death = window.ends()
        ours.communicate()
    assert ours.returncode == -9, ours.returncode
    time.sleep(0.5)
    after = window.ends()
    requests = sum(after[at] - since[1].get(at, 0) for at in after if at[0] == window.requests)
    rate = int(requests / max(killed - since[0], 0.02))
    return {"ended": None, "kill_after": wanted, "grew": grew, "records": sum(after.values()),
            "arrived_after_death": sum(after.values()) - sum(at_death.values()), "requests_per_second": rate, "ends": after}


def torture():
    randomness = random.Random(SEED)
    window = Window(f"torture-{SEED}", AUCTIONS_A_ROUND * ROUNDS)
    reference = window.reference()
    proven, unproven, rates, late, named = 0, 0, [], 0, 0
    while proven < ROUNDS:
        result = play_until_killed(window, randomness)
        if result["ended"] is not None:
            # It may end by itself only by naming damage. Then the log cannot be gone on with.
            say(round=proven + 1, ended=result["ended"], said=result["said"][-400:])
            named += result["ended"] == ANOTHER_WRITER
            break
        result["in_flight_at_least"] = in_flight_at_least(reference[0], result.pop("ends"))
        fast = result["requests_per_second"] >= REQUESTS_PER_SECOND_MIN
        is_proven = result["grew"] and result["in_flight_at_least"] > 0 and fast
        proven, unproven = proven + is_proven, unproven + (not is_proven)
        rates.append(result["requests_per_second"])
        late += result["arrived_after_death"] > 0
        del result["ended"]
        say(round=proven, proven=is_proven, seed=SEED, **result)
        if unproven > max(3, ROUNDS * UNPROVEN_MAX):
            sys.exit("torture: too many rounds without records in flight, or slower than 5,000 requests a second")
    last = subprocess.run(window.command(), capture_output=True, text=True)
    again = subprocess.run(window.command(), capture_output=True, text=True)
    found = differences(reference, window)
    verify = verified(window)
    summary = {"kills": proven + unproven, "proven": proven, "seed": SEED, "records": len(reference[0]), **found, "named": named,
               "last_exit": last.returncode, "nothing_to_do": "nothing to do" in again.stderr, "verify": verify,
               "requests_per_second_mean": sum(rates) // max(len(rates), 1), "requests_per_second_min": min(rates, default=0), "rounds_with_late_requests": late,
               "upper_bound_95": round(3 / max(proven, 1), 4)}
    say(**summary)
    whole = not any(found.values()) and last.returncode == 0 and again.returncode == 0 and summary["nothing_to_do"]
    if not (whole and proven == ROUNDS and verify in (0, None)):
        sys.exit(f"torture: SEED={SEED}: the log is not an uninterrupted run's\n{last.stderr[-600:]}{again.stderr[-600:]}")


def verified(window):
    """The exit code of `verify`; None if the program has no such command yet."""
    if subprocess.run([PROGRAM, "verify", "--help"], capture_output=True).returncode != 0:
        return None
    verify = subprocess.run([PROGRAM, "verify", "--from", "epoch", "--bootstrap-servers", BROKER, *window.options],
                            capture_output=True, text=True)
    if verify.returncode != 0:
        print(verify.stdout[-2000:], verify.stderr[-2000:], file=sys.stderr)
    return verify.returncode


def control():
    """A resume that is wrong on purpose."""
    randomness = random.Random(SEED + 1)
    window = Window(f"control-{SEED}", AUCTIONS_A_ROUND * 2)
    reference = window.reference()
    result = play_until_killed(window, randomness)
    assert result["ended"] is None, result
    wrong = subprocess.run(window.command("--resume", "never"), capture_output=True, text=True)
    assert wrong.returncode == 0, wrong.stderr
    found = differences(reference, window)
    refused = subprocess.run(window.command(), capture_output=True, text=True)
    say(control="--resume never after a kill", **found, refused_by_the_program=refused.returncode)
    if found["doubled"] == 0 or refused.returncode != 3:
        sys.exit("torture: the control was not noticed")


if __name__ == "__main__":
    print(f"SEED={SEED} ROUNDS={ROUNDS}", flush=True)
    control()
    torture()
