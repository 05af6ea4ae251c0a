#!/usr/bin/env python3
"""Tries to break a delivery: `make torture-exactly-once` (ROUNDS=10, SEED=n, DELIVERY=exactly-once, PARTS="kills points …").

A bounded window is played at full speed into a real Kafka, is broken in some way, and the same command is given until it has
nothing left to do. Then `verify` and kcat, read-committed, say what is there; kcat's SHA-256 of each partition must be that of one
run that nothing interrupted. ROUNDS=200 is the long form: 200 random kills, and 20 of everything else.

  kills     SIGKILL at random instants, the start included
  points    SIGKILL at named points of a transaction, which a proxy between generator and broker sees go by
  frozen    SIGKILL while the broker is stopped by SIGSTOP, then broker and generator go on
  thaw      SIGSTOP of the broker for FREEZE_S seconds (30 to 70), several writers left alone
  network   requests delayed or reset; ends of transactions held back beyond their timeout and released in the next transaction; clients
            that no answer reaches until they are replaced (three times at most)
  controls  the same faults without transactions, and a position that is not the log's: this harness and the program have to see it

With DELIVERY=idempotent a round is good when it ends clean or when the damage is named; with exactly-once only clean is good.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time

from common import (ANOTHER_WRITER, BROKER, COMMITTED, DONE, GOES_ON, IO_OR_KAFKA, SEED, UNCOMMITTED, Node, Quiet, Window, ago, differences, end_live,
                    finish, finish_live, forget, number, reference, say, tail)
from proxy import ADD_PARTITIONS, ANSWERED, ARRIVED, END_TXN, FORWARDED, INIT_PRODUCER_ID, NAMES, PASS, PRODUCE, RESET, RETURNED, Held, Proxy, until

ROUNDS = number("ROUNDS", 10)
# Of everything but random kills.
FEW = max(1, ROUNDS // 10)
DELIVERY = os.environ.get("DELIVERY") or "exactly-once"
PARTS = (os.environ.get("PARTS") or "kills points frozen network controls").split()
AUCTIONS = number("AUCTIONS", 200_000)
FREEZE_S = [float(bound) for bound in (os.environ.get("FREEZE_S") or "30 70").split()]
# Every wait for a run to get somewhere, and the longest time that a run may need without having hung.
PATIENCE_S, HUNG_S = 60, 180
LIVE_WRITERS = 4
# A client whose request is not answered for so long asks again.
SILENCE_MS = 2_000
# Named point: the request, how many of them go by before, the moment, and what becomes of the connection.
POINTS = {
    "after begin": (ADD_PARTITIONS, (1, 6), [RETURNED], PASS),
    "mid-send, the request arrives": (PRODUCE, (1, 60), [ARRIVED], PASS),
    "mid-send, the request is lost": (PRODUCE, (1, 60), [ARRIVED], RESET),
    "before commit": (END_TXN, (1, 3), [ARRIVED], RESET),
    "after commit is sent": (END_TXN, (1, 3), [FORWARDED, ANSWERED], PASS),
    "after commit": (END_TXN, (1, 3), [RETURNED], PASS),
}


class Windows:
    """One window after the other, each played to its end over several rounds; all hold the same stream, so one reference serves."""

    def __init__(self, name, delivery, bootstrap=None):
        self.name, self.delivery, self.bootstrap, self.made = name, delivery, bootstrap, 0
        self.window, self.verdicts, self.uncommitted = None, [], 0

    def current(self):
        if self.window is None:
            self.made += 1
            self.window = Window(f"{self.name}-{SEED}-{self.made}", AUCTIONS, delivery=self.delivery, bootstrap=self.bootstrap, epoch=EPOCH)
        return self.window

    def judge(self):
        """Finishes the current window, if there is one."""
        window, self.window = self.window, None
        if window is None:
            return
        result = finish(window, wanted())
        # What readers would see that do not wait for commits: that the faults left something behind.
        doubled = differences(wanted(), window.seen(UNCOMMITTED))["doubled"]
        say(part=self.name, window=self.made, delivery=self.delivery, seed=SEED, **result, doubled_for_uncommitted_readers=doubled)
        self.verdicts.append(result["verdict"])
        if result["verdict"] == "clean":
            forget(window.prefix)

    def summary(self, **more):
        counts = {verdict: self.verdicts.count(verdict) for verdict in sorted(set(self.verdicts))}
        good = {"clean"} if self.delivery == "exactly-once" else {"clean", "noticed"}
        say(part=self.name, summary=True, seed=SEED, delivery=self.delivery, windows=counts, **more)
        if set(self.verdicts) - good:
            FAILED.append(self.name)


EPOCH = None
FAILED = []
REFERENCE = []


def wanted():
    if not REFERENCE:
        REFERENCE.append(reference(Window("reference", AUCTIONS, epoch=EPOCH)))
    return REFERENCE[0]


def kills(rng):
    windows = Windows("kills", DELIVERY)
    done = open_at_death = 0
    while done < ROUNDS:
        window = windows.current()
        before = window.stored()
        process = window.start()
        # One of six while it looks at the log and takes over, the others while it sends.
        early = rng.random() < 1 / 6
        after_s = rng.uniform(0, 1.5)
        if not early:
            # More than the ends of its predecessor's transaction.
            window.wait_for_growth(process, before + 100, PATIENCE_S)
        try:
            ended = process.wait(after_s)
        except subprocess.TimeoutExpired:
            ended = None
        if ended is not None:
            if ended != DONE:
                say(part="kills", ended=ended, said=tail(process.stderr.read().decode()))
            windows.judge()
            continue
        process.kill()
        process.communicate()
        done += 1
        stored, committed = window.stored(), window.stored(COMMITTED)
        open_at_death += stored > committed
        say(part="kills", round=done, seed=SEED, early=early, after_s=round(after_s, 3), stored=stored, uncommitted=stored - committed)
    windows.judge()
    windows.summary(kills=done, with_an_open_transaction=open_at_death, upper_bound_95=round(3 / done, 4))


def points(rng):
    windows = Windows("points", DELIVERY, PROXIED)
    names = [name for name in POINTS if DELIVERY == "exactly-once" or POINTS[name][0] == PRODUCE]
    hits = dict.fromkeys(names, 0)
    for name in names:
        tries = 0
        while hits[name] < FEW and tries < FEW * 5:
            tries += 1
            key, bounds, moments, then = POINTS[name]
            nth, moment = rng.randint(*bounds), rng.choice(moments)
            window = windows.current()
            hit = kill_at(window, key, nth, moment, then)
            hits[name] += hit["hit"]
            say(part="points", point=name, round=hits[name], seed=SEED, nth=nth, moment=moment, **hit)
            if not hit["hit"]:
                windows.judge()
        if hits[name] < FEW:
            FAILED.append(f"points: {name}")
    windows.judge()
    windows.summary(hits=hits)


def kill_at(window, key, nth, moment, then):
    """Runs until that request is at that point, and kills the generator then; whether it came so far."""
    hit, started = threading.Event(), threading.Event()

    def rule(at, of, counted):
        if hit.is_set() or (at, of, counted) != (moment, key, nth):
            return PASS
        started.wait()
        process.kill()
        hit.set()
        return then

    PROXY.watch(rule)
    process = window.start()
    started.set()
    process.communicate()
    PROXY.watch()
    return {"hit": hit.is_set() and process.returncode == -signal.SIGKILL, "exit": process.returncode}


def frozen(rng):
    """The broker stops, then the generator is killed and starts anew, and the broker goes on before, with or behind it."""
    windows = Windows("frozen", DELIVERY)
    for done in range(1, FEW + 1):
        window = windows.current()
        process = window.start()
        window.wait_for_growth(process, window.stored(), PATIENCE_S)
        time.sleep(rng.uniform(0, 1.2))
        NODE.freeze()
        frozen_s, thaw_s = rng.uniform(0, 2), rng.uniform(-0.5, 1.5)
        time.sleep(frozen_s)
        process.kill()
        process.communicate()
        thaw = threading.Timer(max(0, thaw_s), NODE.thaw)
        if thaw_s < 0:
            NODE.thaw()
            time.sleep(-thaw_s)
        thaw.start()
        again = window.start()
        try:
            again.wait(rng.uniform(2, 5))
        except subprocess.TimeoutExpired:
            again.kill()
        thaw.join()
        said = again.communicate()[1].decode()
        say(part="frozen", round=done, seed=SEED, frozen_s=round(frozen_s, 2), thaw_s=round(thaw_s, 2), killed=process.returncode,
            again=again.returncode, **({"said": tail(said)} if again.returncode not in (DONE, -9) else {}))
        NODE.wait()
        windows.judge()
    windows.summary(rounds=FEW)


def thaw(rng):
    """The broker stops and goes on, with live writers and one at full speed, which are left alone: they go on by themselves, or end with a documented
    exit code and the same command goes on."""
    fast, live, ends = Windows("thaw", DELIVERY), [], []
    for index in range(LIVE_WRITERS):
        window = Window(f"thaw-live-{index}-{SEED}", delivery=DELIVERY, rate=rng.choice([50, 200, 500]), epoch=ago(0), seed=SEED + index)
        live.append([window, *begin_live(window)])
    for done in range(1, FEW + 1):
        window = fast.current()
        process = window.start("--log-format", "json", stderr=(fast_said := Quiet("fast")).file)
        window.wait_for_growth(process, 0, PATIENCE_S)
        time.sleep(rng.uniform(0, 1))
        NODE.freeze()
        frozen_s = rng.uniform(*FREEZE_S)
        time.sleep(frozen_s)
        NODE.thaw()
        thawed = time.monotonic()
        exit_code, _ = ended_by_itself(process)
        ended = [{"writer": "fast", "exit": exit_code, **unless_done(exit_code, fast_said.text())}]
        fast_s = time.monotonic() - thawed
        say(part="thaw", round=done, seed=SEED, frozen_s=round(frozen_s, 2), fast_s=round(fast_s, 1), ended=ended)
        behind = time.monotonic()
        for writer in live:
            window, process, said = writer
            begin = window.stored(COMMITTED)
            if window.wait_for_growth(process, begin, HUNG_S, COMMITTED) is None:
                ended.append({"writer": window.prefix, "exit": process.poll(), "said": tail(said.text())})
                process.kill()
                writer[1:] = begin_live(window)
        ends += [one["exit"] for one in ended]
        say(part="thaw", round=done, seed=SEED, live_s=round(time.monotonic() - behind, 1), ended=ended[1:])
        fast.judge()
        time.sleep(rng.uniform(1, 3))
    for window, process, said in live:
        exit_code = end_live(process)
        result = finish_live(window)
        say(part="thaw", writer=window.prefix, seed=SEED, rate=window.rate, exit=exit_code, **result, **({} if exit_code == DONE else {"said": tail(said.text())}))
        ends.append(exit_code)
        fast.verdicts.append(result["verdict"])
    if set(ends) - set(GOES_ON):
        FAILED.append(f"thaw: exits {ends}")
    fast.summary(freezes=FEW, writers=LIVE_WRITERS + 1, exits={str(code): ends.count(code) for code in sorted(set(ends), key=str)})


def begin_live(window):
    said = Quiet(window.prefix)
    return window.start("--log-format", "json", stderr=said.file), said


def ended_by_itself(process):
    """Exit code, none if it hung, and what it said unless that went to a file."""
    hung = False
    try:
        _, said = process.communicate(timeout=HUNG_S)
    except subprocess.TimeoutExpired:
        hung = True
        process.kill()
        _, said = process.communicate()
    return None if hung else process.returncode, (said or b"").decode()


def network(rng):
    windows = Windows("network", DELIVERY, PROXIED)
    kinds = ["delays", "resets"]
    if DELIVERY == "exactly-once":
        kinds = ["end in the next transaction", "end in the successor's transaction", *kinds, "no answers"]
    for kind in kinds:
        proven = tries = 0
        wanted_times = min(FEW, 3) if kind == "no answers" else FEW
        while proven < wanted_times and tries < wanted_times + 5:
            tries += 1
            window = windows.current()
            if kind.startswith("end"):
                result = stray_end(window, rng, kind == "end in the successor's transaction")
            elif kind == "no answers":
                result = stand_still(window, rng)
            else:
                result = disturb(window, rng, kind)
            proven += result["proven"]
            say(part="network", kind=kind, round=proven, seed=SEED, **result)
            if result["exit"] not in GOES_ON:
                FAILED.append(f"network: {kind}: exit {result['exit']}")
            windows.judge()
        if proven < wanted_times:
            FAILED.append(f"network: {kind}: proven only {proven} times")
    windows.summary(rounds=FEW, kinds=kinds)


def unless_done(ended, said):
    """What a run said, where it did not simply end."""
    return {} if ended == DONE and "WARN" not in said else {"said": tail(said)}


def stray_end(window, rng, of_a_dead_writer):
    """Holds an EndTxn back until its client has asked again, or is dead and has a successor, and a later transaction is under way."""
    # Behind the last commit of a window there is no later transaction.
    nth, behind = rng.randint(1, max(1, AUCTIONS // 100_000)), rng.randint(1, 8)
    held, seen = Held(HUNG_S), {"end": False, "again": False, "produced": 0}
    released = []

    def rule(at, key, counted):
        if key == END_TXN and at == ARRIVED and counted == nth and not seen["end"]:
            seen["end"] = True
            return held
        if not seen["end"]:
            return PASS
        if (key == END_TXN and at == RETURNED and counted > nth) or (key == INIT_PRODUCER_ID and at == RETURNED):
            # The transaction that it was for is over.
            seen["again"] = True
        elif seen["again"] and key == PRODUCE and at == FORWARDED:
            seen["produced"] += 1
            if seen["produced"] == behind:
                released.append(time.monotonic())
                held.release()
        return PASS

    PROXY.watch(rule)
    process = window.start("-X", f"socket.timeout.ms={SILENCE_MS}")
    if of_a_dead_writer:
        until(lambda: held.caught.is_set() or process.poll() is not None, PATIENCE_S)
        process.kill()
        process.communicate()
        process = window.start("-X", f"socket.timeout.ms={SILENCE_MS}")
    ended, said = ended_by_itself(process)
    held.release()
    PROXY.watch()
    return {"proven": bool(released), "nth": nth, "behind_produces": behind, "caught": held.caught.is_set(), "exit": ended, **unless_done(ended, said)}


def stand_still(window, rng):
    """No record of a client arrives any more, however often it asks, until it is replaced; then all of them come at once, fenced."""
    nth, held, replaced = rng.randint(2, 30), Held(HUNG_S), []

    def rule(at, key, counted):
        if key == INIT_PRODUCER_ID and at == RETURNED and held.caught.is_set():
            replaced.append(time.monotonic())
            held.release()
        return held if key == PRODUCE and at == ARRIVED and counted >= nth and not replaced else PASS

    PROXY.watch(rule)
    process = window.start()
    ended, said = ended_by_itself(process)
    held.release()
    PROXY.watch()
    return {"proven": bool(replaced), "nth": nth, "exit": ended, **unless_done(ended, said)}


def disturb(window, rng, kind):
    """Delays or resets requests of all kinds at random."""
    keys = [PRODUCE, ADD_PARTITIONS, END_TXN, INIT_PRODUCER_ID] if window.delivery == "exactly-once" else [PRODUCE, INIT_PRODUCER_ID]
    share = {PRODUCE: 0.02}
    left, lock, done = [rng.randint(4, 12)], threading.Lock(), []

    def rule(at, key, counted):
        if key not in keys or at == RETURNED:
            return PASS
        with lock:
            if not left[0] or rng.random() > share.get(key, 0.2):
                return PASS
            left[0] -= 1
            wait_s = rng.choice([0.05, 0.5, 1, SILENCE_MS / 1000 + 0.5])
            done.append(f"{NAMES[key]} {at}" + (f" {wait_s} s" if kind == "delays" else ""))
            return Held(wait_s) if kind == "delays" else RESET

    PROXY.watch(rule)
    process = window.start("-X", f"socket.timeout.ms={SILENCE_MS}")
    ended, said = ended_by_itself(process)
    PROXY.watch()
    return {"proven": bool(done), "disturbed": done, "exit": ended, **unless_done(ended, said)}


def controls(rng):
    late_request(rng, "idempotent")
    if DELIVERY == "exactly-once":
        late_request(rng, "exactly-once")
    stale_position(rng)


def late_request(rng, delivery):
    """A request of a dead writer that arrives while its successor sends: without transactions it must do harm, and be named; with
    them it must be fenced off."""
    windows = Windows(f"late-request-{delivery}", delivery, PROXIED)
    verdicts = []
    for done in range(1, FEW + 1):
        window = windows.current()
        held, nth = Held(HUNG_S), rng.randint(3, 40)
        dead = threading.Event()
        sent = []

        def rule(at, key, counted):
            if key != PRODUCE:
                return PASS
            if not dead.is_set():
                return held if (at, counted) == (ARRIVED, nth) else PASS
            if at == FORWARDED:
                sent.append(counted)
                if len(sent) == 3:
                    held.release()
            return PASS

        PROXY.watch(rule)
        process = window.start()
        until(lambda: held.caught.is_set() or process.poll() is not None, PATIENCE_S)
        process.kill()
        process.communicate()
        dead.set()
        ended, said = ended_by_itself(window.start())
        held.release()
        PROXY.watch()
        say(part=windows.name, round=done, seed=SEED, nth=nth, caught=held.caught.is_set(), successor=ended, **unless_done(ended, said))
        windows.judge()
        verdicts.append(windows.verdicts[-1])
    windows.summary(rounds=FEW)
    if delivery == "idempotent" and "noticed" not in verdicts:
        FAILED.append("controls: the late requests did no harm, so they prove nothing")


def stale_position(rng):
    """Somebody else appends a record between two runs, or under way."""
    for delivery in dict.fromkeys(["idempotent", DELIVERY]):
        for under_way in (False, True):
            window = Window(f"stale-{delivery}-{under_way}-{SEED}", AUCTIONS, delivery=delivery, epoch=EPOCH)
            process = window.start()
            window.wait_for_growth(process, 0, PATIENCE_S, COMMITTED)
            if not under_way:
                process.kill()
                process.communicate()
            append = ["kcat", "-P", "-b", BROKER, "-t", window.requests, "-p", str(rng.randrange(6)), "-k", "stale"]
            subprocess.run(append, input=b"not ours", check=True)
            if under_way:
                ended, said = ended_by_itself(process)
            else:
                ended, said = window.run()
            verify, _ = window.verified()
            found = differences(wanted(), window.seen())
            say(part="stale position", delivery=delivery, under_way=under_way, seed=SEED, exit=ended, verify=verify, **found, said=tail(said, 300))
            if ended not in (IO_OR_KAFKA, ANOTHER_WRITER) or verify != 1 or not found["foreign"]:
                FAILED.append(f"controls: another writer's record ({delivery}, under way: {under_way}) was not named")


def main():
    global EPOCH, NODE, PROXY, PROXIED
    EPOCH = Window("epoch").epoch
    NODE = Node()
    listeners = NODE.properties()
    port = int(listeners["advertised.listeners"].rsplit(":", 1)[1])
    upstream = next(word for word in listeners["listeners"].split(",") if word.startswith("PROXIED")).rsplit(":", 1)[1]
    PROXY, PROXIED = Proxy(port, ("127.0.0.1", int(upstream))), f"127.0.0.1:{port}"
    say(seed=SEED, rounds=ROUNDS, few=FEW, delivery=DELIVERY, parts=PARTS)
    try:
        for part in PARTS:
            begin = time.monotonic()
            globals()[part](random.Random(f"{SEED}/{part}"))
            say(part=part, seconds=round(time.monotonic() - begin))
    finally:
        NODE.close()
    if FAILED:
        sys.exit(f"torture: SEED={SEED} DELIVERY={DELIVERY}: failed: {FAILED}")


if __name__ == "__main__":
    main()
