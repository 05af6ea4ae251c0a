"""What the torture programs share: the generator on a window of its own topics, brokers that may be frozen or killed, and a
judge that never uses our own client: kcat, read-committed, against what one run that nothing interrupted writes.

GENERATOR names the program, SEED and ROUNDS repeat a session, KAFKA_BOOTSTRAP and its like come from tests/kafka/broker.
"""

import atexit
import base64
import collections
import hashlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone

PROGRAM = os.environ.get("GENERATOR", "target/debug/mock-data-gen")
BROKER = os.environ.get("KAFKA_BOOTSTRAP", "")
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
PARTITIONS = 6
STAGES = ["bid-requests", "bid-responses", "impressions", "clicks"]
# Exit codes of the program.
DONE, IO_OR_KAFKA, ANOTHER_WRITER, STOPPED = 0, 3, 4, 5
# What starts a command again may count on these.
GOES_ON = (DONE, IO_OR_KAFKA, ANOTHER_WRITER, STOPPED)
LINE = re.compile(rb'^\{"topic":"([^"]+)","partition":(\d+),"key":"([^"]+)","timestamp":(\d+),(?:"headers":(\{[^}]*\}),)?"(value|value_base64)":(.*)\}$', re.S)
BEGIN = time.monotonic()
COMMITTED, UNCOMMITTED = "isolation.level=read_committed", "isolation.level=read_uncommitted"


# Whatever ends this program ends what it started: `timeout` and Ctrl-C, too.
STARTED = []
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@atexit.register
def end_all():
    for process in STARTED:
        if process.poll() is None:
            process.kill()


def say(**fields):
    """A line of JSON, with the seconds since the program began."""
    print(json.dumps({**fields, "t": round(time.monotonic() - BEGIN, 1)}), flush=True)


def number(name, default):
    """An integer from the environment, where an empty one counts as none."""
    return int(os.environ.get(name) or default)


def ago(hours):
    """A recent time: a broker forgets idempotent producers whose record times are older than a day."""
    return (datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339(ms):
    return (datetime.fromtimestamp(0, timezone.utc) + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Window:
    """Topics of their own, and the options of the run that fills them.

    `count` bounds it (then it is played at full speed); without one it is live from `epoch` on. `partitions` are those of each topic,
    or of all; where they differ, the topics have to exist. `spec` replaces the usual stream options.
    """

    def __init__(self, prefix, count=None, *, delivery="idempotent", rate=200, epoch=None, seed=None, more=(), bootstrap=None,
                 partitions=PARTITIONS, spec=None):
        self.count, self.delivery, self.bootstrap, self.prefix = count, delivery, bootstrap or BROKER, prefix
        self.epoch, self.seed, self.rate, self.more = epoch or ago(2), SEED if seed is None else seed, rate, list(more)
        self.topics = [f"{prefix}-{stage}" for stage in STAGES]
        self.requests = self.topics[0]
        self.partitions = [partitions] * 4 if isinstance(partitions, int) else list(partitions)
        self.spec = spec or ["--seed", str(self.seed), "--epoch", self.epoch, "--events-per-second", str(rate), "--click-rate", "0.3"]

    @property
    def stream(self):
        """What decides every byte, partitions, the topics' names and the window's end aside."""
        return [*self.spec, *self.more]

    @property
    def options(self):
        named = [word for stage, topic in zip(STAGES, self.topics) for word in (f"--topic-{stage}", topic)]
        same = ["--partitions", str(self.partitions[0])] if len(set(self.partitions)) == 1 else []
        return [*self.stream, *same, *self.bound(), *named]

    def bound(self):
        return ["--count", str(self.count)] if self.count else []

    def command(self, *more):
        pace = ["--fast"] if self.count else ["--from", "epoch"]
        delivery = ["--delivery", self.delivery] if self.delivery != "idempotent" else []
        return [PROGRAM, "run", *pace, "--bootstrap-servers", self.bootstrap, *self.options, *delivery, *more]

    def start(self, *more, stderr=subprocess.PIPE):
        started = subprocess.Popen(self.command(*more), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
        STARTED.append(started)
        return started

    def run(self, *more, limit_s=300):
        """A run to its end; its exit code is None if it hung and was killed."""
        try:
            done = subprocess.run(self.command(*more), capture_output=True, text=True, timeout=limit_s)
            return done.returncode, done.stderr
        except subprocess.TimeoutExpired as late:
            return None, (late.stderr or b"").decode()

    def ends(self, level=UNCOMMITTED, at=-1):
        """End offsets of all partitions, asked by kcat: of all that is stored, or of what is committed; or where they begin (-2). None
        before the topics exist."""
        asked = [f"{topic}:{partition}:{at}" for topic, count in zip(self.topics, self.partitions) for partition in range(count)]
        query = ["kcat", "-b", BROKER, "-Q", "-X", level] + [word for ask in asked for word in ("-t", ask)]
        result = subprocess.run(query, capture_output=True, text=True)
        found = re.findall(r"^(\S+) \[(\d+)\] offset (\d+)$", result.stdout, re.M)
        return {(topic, int(partition)): int(offset) for topic, partition, offset in found}

    def stored(self, level=UNCOMMITTED):
        """How far the logs go, all partitions together."""
        return sum(self.ends(level).values())

    def wait_for_growth(self, process, beyond, limit_s=30, level=UNCOMMITTED):
        """Until the logs go further than that; None if the process ends before, or it takes too long."""
        deadline = time.monotonic() + limit_s
        while process.poll() is None and time.monotonic() < deadline:
            stored = self.stored(level)
            if stored > beyond:
                return stored
            time.sleep(0.005)
        return None

    def verified(self, *more):
        """The exit code of `verify`, and what it said."""
        found = subprocess.run([PROGRAM, "verify", "--from", "epoch", "--bootstrap-servers", BROKER, *self.options, *more],
                               capture_output=True, text=True)
        return found.returncode, found.stdout[-1500:] + found.stderr[-1500:]

    def seen(self, level=COMMITTED):
        """What a reader finds."""
        held = Held()
        for stage, topic in enumerate(self.topics):
            reader = subprocess.Popen(["kcat", "-b", BROKER, "-C", "-X", level, "-t", topic, "-o", "beginning", "-e", "-q",
                                       "-f", "%p|%T|%k|%h|%S|%s\n"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            for line in reader.stdout:
                partition, timestamp, key, headers, size, value = line.rstrip(b"\n").split(b"|", 5)
                held.add((stage, int(partition)), timestamp, key, headers, b"null" if size == b"-1" else value)
            assert reader.wait() == 0
        return held


class Held:
    """Records by partition: a hash of each partition, and each record's own, by (stage, partition)."""

    def __init__(self):
        self.hashes = collections.defaultdict(hashlib.sha256)
        self.lines = collections.defaultdict(list)
        self.order = []

    def add(self, at, timestamp, key, headers, value):
        record = b"%s|%s|%s|%s\n" % (timestamp, key, headers, value)
        self.hashes[at].update(record)
        # Key and record, short: enough to tell a lost record from an altered one.
        self.lines[at].append((hashlib.blake2b(key, digest_size=8).digest(), hashlib.blake2b(record, digest_size=8).digest()))

    def __len__(self):
        return sum(map(len, self.lines.values()))


def reference(window, count=None):
    """What one run that nothing interrupted writes, by the program's own standard output, which knows one number of partitions at
    a time; its records' partitions in order, too, where there is one."""
    held = Held()
    for partitions in sorted(set(window.partitions)):
        stages = [stage for stage, of in enumerate(window.partitions) if of == partitions]
        played = subprocess.Popen([PROGRAM, "run", "--fast", "--sink", "stdout", *window.stream, "--partitions", str(partitions), "--count",
                                   str(count or window.count)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for line in played.stdout:
            topic, partition, key, timestamp, headers, form, value = LINE.match(line.rstrip(b"\n")).groups()
            stage = STAGES.index(topic.decode())
            if stage not in stages:
                continue
            named = ",".join(f"{name}={value}" for name, value in json.loads(headers or "{}").items()).encode()
            held.add((stage, int(partition)), timestamp, key, named, value if form == b"value" else base64.b64decode(value.strip(b'"')))
            held.order.append((stage, int(partition)))
        assert played.wait() == 0
    return held


def differences(wanted, seen, prefix=False):
    """Records lost, doubled, altered and reordered, over partitions whose SHA-256 differs; `prefix` lets a partition end early."""
    found = collections.Counter(lost=0, doubled=0, altered=0, reordered=0, foreign=0)
    for at in set(wanted.hashes) | set(seen.hashes):
        right, is_there = wanted.lines.get(at, []), seen.lines.get(at, [])
        if prefix:
            # What is there must be a beginning: anything left out within it shows as lost.
            right = right[: len(is_there)]
            if right == is_there:
                continue
        elif at in wanted.hashes and at in seen.hashes and wanted.hashes[at].digest() == seen.hashes[at].digest():
            continue
        count(found, right, is_there)
    return dict(found)


def count(found, right, is_there):
    wanted, seen = collections.Counter(right), collections.Counter(is_there)
    missing, extra = wanted - seen, seen - wanted
    keys = {key for key, _ in wanted}
    found["doubled"] += sum(times for line, times in extra.items() if line in wanted)
    altered = sum(times for line, times in extra.items() if line not in wanted and line[0] in keys)
    found["altered"] += altered
    found["foreign"] += sum(times for line, times in extra.items() if line[0] not in keys)
    found["lost"] += max(0, sum(missing.values()) - altered)
    first = list(dict.fromkeys(is_there))
    expected = [line for line in right if line in seen]
    found["reordered"] += sum(a != b for a, b in zip((line for line in first if line in wanted), expected))


class Node:
    """A broker that `tests/kafka/broker` started, which may be frozen, or ended and started again."""

    def __init__(self, index=0):
        self.index, self.data, self.libs = index, os.environ["KAFKA_DATA"], os.environ["KAFKA_LIBS"]
        self.suffix = f"-{index + 1}" if index else ""
        self.address = BROKER.split(",")[index]
        self.pid, self.child = int(os.environ["KAFKA_PID"].split()[index]), None

    @property
    def name(self):
        return f"broker {self.index + 1}"

    def properties(self):
        text = pathlib.Path(f"{self.data}/server{self.suffix}.properties").read_text()
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))

    def send(self, which):
        os.kill(self.pid, which)

    def freeze(self):
        self.send(signal.SIGSTOP)

    def thaw(self):
        self.send(signal.SIGCONT)

    def end(self, which=signal.SIGKILL, limit_s=30):
        """Ends it, if it has not ended, and waits until it is gone."""
        if self.is_running():
            self.send(which)
        deadline = time.monotonic() + limit_s
        while self.is_running():
            if time.monotonic() > deadline:
                self.send(signal.SIGKILL)
            time.sleep(0.02)

    def is_running(self):
        if self.child:
            return self.child.poll() is None
        try:
            return pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
        except FileNotFoundError:
            return False

    def start(self, heap="512m"):
        """Starts it again, without waiting for it."""
        with open(f"{self.data}/broker{self.suffix}.log", "ab") as log:
            command = ["java", f"-Xmx{heap}", "-Dlog4j2.configurationFile=file:tests/kafka/log4j2.properties", "-Dkafka.log.level=INFO",
                       "-cp", self.libs + "/*", "kafka.Kafka", f"{self.data}/server{self.suffix}.properties"]
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = self.child.pid

    def wait(self, limit_s=60):
        """Until it answers."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            look = subprocess.run(["kcat", "-b", self.address, "-L", "-m", "2"], capture_output=True)
            if look.returncode == 0:
                return
            time.sleep(0.1)
        sys.exit(f"{self.name} does not come back; its log: {self.data}/broker{self.suffix}.log")

    def close(self):
        """Nothing is left behind: neither a frozen process, which could not be asked to end, nor one that we started."""
        if self.is_running():
            self.thaw()
        if self.child and self.child.poll() is None:
            self.end(signal.SIGTERM)


def tool(*args):
    """A tool of Kafka's own."""
    done = subprocess.run(["tests/kafka/broker", "tool", *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def forget(prefix):
    """Deletes the topics of rounds that are over: a broker looks at each partition when it comes back."""
    tool("TopicCommand", "--bootstrap-server", BROKER, "--delete", "--topic", re.escape(prefix) + ".*")


class Quiet:
    """Standard error of a long run, kept in a file: a pipe that nobody reads would stop it. LOGS=FOLDER keeps them there."""

    made = 0

    def __init__(self, name="run"):
        Quiet.made += 1
        folder = os.environ.get("LOGS")
        self.file = open(f"{folder}/{Quiet.made:03}-{name}.log", "w+b") if folder else tempfile.TemporaryFile()

    def text(self, beginning=0):
        return os.pread(self.file.fileno(), 1 << 24, beginning).decode(errors="replace")

    def size(self):
        return os.fstat(self.file.fileno()).st_size


def finish(window, wanted, tries=5):
    """Gives the same command until it says that it is done, and judges what is there then: `clean`; `noticed`, where the program itself or
    its `verify` names what kcat finds wrong; `silent` damage; `stuck` or `false alarm`, where nothing is wrong but the program says so."""
    codes, said = [], ""
    while not codes or (codes[-1] != DONE and len(codes) < tries):
        code, said = window.run()
        codes.append(code)
    found = differences(wanted, window.seen())
    verify, verify_said = window.verified()
    damaged, done = any(found.values()), codes[-1] == DONE
    if not damaged:
        verdict = "clean" if done and verify == 0 else "false alarm"
    elif not done and verify == 1 and set(found.values()) - {0} == {found["lost"]}:
        verdict = "stuck" if set(codes) == {IO_OR_KAFKA} or None in codes else "noticed"
    else:
        verdict = "noticed" if verify == 1 or (codes[-1] in (IO_OR_KAFKA, ANOTHER_WRITER)) else "silent"
    result = {"verdict": verdict, "exits": codes, "verify": verify, **found}
    if verdict != "clean":
        result["said"] = tail(said)
        if verify != 0:
            result["verify_said"] = tail(verify_said)
    return result


def end_live(process, limit_s=10):
    """Tells a live run to end; its exit code, none if it did not."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def finish_live(window):
    """Judges what a live window holds after its last run has ended: it must be a beginning of each partition's sequence."""
    began = datetime.fromisoformat(window.epoch.replace("Z", "+00:00"))
    so_far = (datetime.now(timezone.utc) - began).total_seconds() * window.rate
    seen = window.seen()
    # Arrivals are random: some more than are due on the average.
    found = differences(reference(window, int(so_far * 1.05) + 1_000), seen, prefix=True)
    verify, verify_said = window.verified()
    clean = not any(found.values()) and verify == 0 and len(seen) > 0
    verdict = "clean" if clean else "noticed" if any(found.values()) and verify == 1 else "false alarm" if verify else "silent"
    return {"verdict": verdict, "records": len(seen), "verify": verify, **found, **({} if clean else {"verify_said": tail(verify_said)})}


def tail(text, length=500):
    """The end of what a program said, for a line of JSON."""
    return text.strip()[-length:]
