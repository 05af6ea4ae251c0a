#!/usr/bin/env python3
"""Starts a second copy of a live run: `make torture-copies` (ROUNDS=30, SEED=n, DELIVERY=exactly-once, LOOPS_S=60).

In each round a copy is running and another one is started by the same command. One of the two must end with exit code 4 within
10 s, the other must go on. Then both are started again whenever they end, as a container's restart policy would, for LOOPS_S
seconds. In the end the topics hold what one run writes, as far as they go. One line of JSON a round.
"""

import os
import random
import sys
import time

from common import ANOTHER_WRITER, COMMITTED, DONE, IO_OR_KAFKA, SEED, Quiet, Window, ago, end_live, finish_live, number, say, tail

ROUNDS = number("ROUNDS", 30)
LOOPS_S = number("LOOPS_S", 60)
DELIVERY = os.environ.get("DELIVERY") or "exactly-once"
RATE = 500
LIMIT_S = 10
# Two copies that ended at the same second would meet for ever.
RESTART_S = (0.2, 3)
# Half a minute in the past: a live run begins by catching up.
BEHIND_S = 30


class Copy:
    def __init__(self, window, name):
        self.name, self.said = name, Quiet()
        self.process = window.start(stderr=self.said.file)

    def ended(self):
        return self.process.poll()


def second_copies(window, rng, failed):
    living = Copy(window, "0")
    window.wait_for_growth(living.process, 0, 60, COMMITTED)
    took = []
    for done in range(1, ROUNDS + 1):
        time.sleep(rng.uniform(0, 2))
        before = window.stored(COMMITTED)
        begin = time.monotonic()
        second = Copy(window, str(done))
        while living.ended() is None and second.ended() is None and time.monotonic() - begin < 2 * LIMIT_S:
            time.sleep(0.01)
        took_s = time.monotonic() - begin
        # The other must not follow it.
        time.sleep(1)
        gone = [copy for copy in (living, second) if copy.ended() is not None]
        stays = second if living in gone else living
        grew = window.wait_for_growth(stays.process, before, 15, COMMITTED) is not None
        good = len(gone) == 1 and gone[0].ended() in GOOD and took_s <= LIMIT_S and grew
        took.append(took_s)
        say(round=done, seed=SEED, delivery=DELIVERY, good=good, ended=[f"{copy is second and 'second' or 'first'}: {copy.ended()}" for copy in gone],
            took_s=round(took_s, 2), goes_on=grew, **({} if good else {"said": [tail(copy.said.text()) for copy in gone]}))
        if not good:
            failed.append(f"round {done}")
        if len(gone) != 1:
            for copy in (living, second):
                copy.process.kill()
                copy.process.wait()
            stays = Copy(window, f"{done} anew")
            window.wait_for_growth(stays.process, window.stored(COMMITTED), 60, COMMITTED)
        living = stays
    say(summary="second copies", seed=SEED, delivery=DELIVERY, rounds=ROUNDS, failed=len(failed), took_s_max=round(max(took), 2),
        took_s_mean=round(sum(took) / len(took), 2))
    return living


def restart_loops(window, rng, living, failed):
    """Both are started again by themselves; the stream has to get on all the same."""
    copies = [living, Copy(window, "second")]
    begin, before = time.monotonic(), window.stored(COMMITTED)
    due = [None, None]
    codes = []
    while time.monotonic() - begin < LOOPS_S:
        for index, copy in enumerate(copies):
            if copy.ended() is not None and due[index] is None:
                codes.append(copy.ended())
                due[index] = time.monotonic() + rng.uniform(*RESTART_S)
                if copy.ended() not in GOOD:
                    failed.append(f"restart loop: exit {copy.ended()}: {tail(copy.said.text())}")
            elif due[index] is not None and time.monotonic() >= due[index]:
                copies[index], due[index] = Copy(window, copy.name), None
        time.sleep(0.02)
    grew = window.stored(COMMITTED) - before
    say(summary="restart loops", seed=SEED, seconds=LOOPS_S, restarts=len(codes), exits={str(code): codes.count(code) for code in sorted(set(codes))}, grew=grew)
    if grew <= 0:
        failed.append("restart loops: nothing was written")
    return copies


def main():
    failed, rng = [], random.Random(SEED)
    window = Window(f"copies-{SEED}", delivery=DELIVERY, rate=RATE, epoch=ago(BEHIND_S / 3600))
    say(seed=SEED, rounds=ROUNDS, delivery=DELIVERY, epoch=window.epoch)
    copies = restart_loops(window, rng, second_copies(window, rng, failed), failed)
    codes = [end_live(copy.process) for copy in copies]
    # One that goes on alone tidies up what the loops left under way.
    last = Copy(window, "last")
    window.wait_for_growth(last.process, window.stored(COMMITTED), 30, COMMITTED)
    codes.append(end_live(last.process))
    result = finish_live(window)
    say(summary="all", seed=SEED, delivery=DELIVERY, **result, exits=codes, upper_bound_95=round(3 / ROUNDS, 4),
        **({} if codes[-1] == DONE else {"said": tail(last.said.text())}))
    if result["verdict"] not in VERDICTS or (codes[-1] != DONE and result["verdict"] == "clean"):
        failed.append("the log")
    if failed:
        sys.exit(f"torture: SEED={SEED} DELIVERY={DELIVERY}: {failed}")


# Without transactions the second one may also find, at its start, that the logs do not stand still; and what it does may be damage that is named.
GOOD = (ANOTHER_WRITER,) if DELIVERY == "exactly-once" else (ANOTHER_WRITER, IO_OR_KAFKA)
VERDICTS = ("clean",) if DELIVERY == "exactly-once" else ("clean", "noticed")

if __name__ == "__main__":
    main()
