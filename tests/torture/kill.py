#!/usr/bin/env python3
"""SIGKILL at random instants: `make torture` (ROUNDS=20, SEED=n, FAULTS="--late 0.05:2s --tombstones 0.1").

A bounded window is played at full speed into a real Kafka (KAFKA_BOOTSTRAP). In each round the generator is killed after a
random number of records, while records are in flight, and started again by the same command. In the end every partition must
hold, by kcat, exactly what one run that nothing interrupted writes. One line of JSON a round, and a summary.

FAULTS are options of planned faults, given to generator and verifier. Values that are no JSON are compared as bytes, and a record
without one as none.

A control does it wrong on purpose (`--resume never` after a kill): this harness has to report that.
"""

import os
import random
import shlex
import subprocess
import sys
import time

from common import ANOTHER_WRITER, SEED, Window, differences, number, reference, say

ROUNDS = number("ROUNDS", 20)
FAULTS = shlex.split(os.environ.get("FAULTS", ""))
AUCTIONS_A_ROUND = 20_000
REQUESTS_PER_SECOND_MIN = 5_000
# A round that could not prove that records were in flight, at this rate at least, is not counted; more than this share of them is a failure.
UNPROVEN_MAX = 0.5


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
    begin = sum(before.values())
    ours = window.start(*more)
    last, since, grew, sample = begin, None, False, (time.monotonic(), before)
    while ours.poll() is None:
        ends = window.ends()
        records = sum(ends.values())
        if records > last and since is None:
            since = sample
        grew, last, sample = records > last, records, (time.monotonic(), ends)
        if grew and records - begin >= wanted:
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
    window = Window(f"torture-{SEED}", AUCTIONS_A_ROUND * ROUNDS, more=FAULTS)
    wanted = reference(window)
    proven, unproven, rates, late, named = 0, 0, [], 0, 0
    while proven < ROUNDS:
        result = play_until_killed(window, randomness)
        if result["ended"] is not None:
            # It may end by itself only by naming damage. Then the log cannot be gone on with.
            say(round=proven + 1, ended=result["ended"], said=result["said"][-400:])
            named += result["ended"] == ANOTHER_WRITER
            break
        ends = {(window.topics.index(topic), partition): end for (topic, partition), end in result.pop("ends").items()}
        result["in_flight_at_least"] = in_flight_at_least(wanted.order, ends)
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
    found = differences(wanted, window.seen())
    verify, verify_said = window.verified()
    summary = {"kills": proven + unproven, "proven": proven, "seed": SEED, "records": len(wanted), **found, "named": named,
               "last_exit": last.returncode, "nothing_to_do": "nothing to do" in again.stderr, "verify": verify,
               "requests_per_second_mean": sum(rates) // max(len(rates), 1), "requests_per_second_min": min(rates, default=0), "rounds_with_late_requests": late,
               "upper_bound_95": round(3 / max(proven, 1), 4)}
    say(**summary)
    whole = not any(found.values()) and last.returncode == 0 and again.returncode == 0 and summary["nothing_to_do"]
    if not (whole and proven == ROUNDS and verify == 0):
        sys.exit(f"torture: SEED={SEED}: the log is not an uninterrupted run's\n{last.stderr[-600:]}{again.stderr[-600:]}{verify_said}")


def control():
    """A resume that is wrong on purpose."""
    randomness = random.Random(SEED + 1)
    window = Window(f"control-{SEED}", AUCTIONS_A_ROUND * 2, more=FAULTS)
    wanted = reference(window)
    result = play_until_killed(window, randomness)
    assert result["ended"] is None, result
    wrong = subprocess.run(window.command("--resume", "never"), capture_output=True, text=True)
    assert wrong.returncode == 0, wrong.stderr
    found = differences(wanted, window.seen())
    refused = subprocess.run(window.command(), capture_output=True, text=True)
    say(control="--resume never after a kill", **found, refused_by_the_program=refused.returncode)
    if found["doubled"] == 0 or refused.returncode != 3:
        sys.exit("torture: the control was not noticed")


if __name__ == "__main__":
    print(f"SEED={SEED} ROUNDS={ROUNDS}", flush=True)
    control()
    torture()
