"""The stream law, written a second time from the design: which records exist, when, in which order and partition.

All of it is recomputed with Python's integers from the seed, the rates, the planned faults and the ordinal, then
compared record by record with what the program writes; its fingerprint is recomputed from the bytes of that output.
Windows with planned faults are played by `faults.py`.
"""

import functools
import hashlib
import itertools
import re
import struct
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from common import (
    BINARY,
    RATES,
    SEED_MAX,
    STAGES,
    TOPICS,
    Record,
    Run,
    expect,
    fail,
    ident,
    namespace,
    require,
    say,
    time_text,
)

MASK = 2**32 - 1
US = datetime.resolution
LIMIT_MS = 253_402_297_200_000
"""9999-12-31T23:00:00Z: the last arrival lies before it."""
HEADERS = ("mdg-stream-id", "mdg-ordinal", "mdg-stage", "mdg-copy")


def chacha_blocks(key: bytes, counter: int, streams: list[int], rounds: int) -> list[tuple[int, ...]]:
    """A block of ChaCha with a 64-bit counter for each of some 64-bit stream numbers, each as 16 words.

    Word i of all of them is one long number with 64 bits for each stream: one addition of Python's adds them all.
    """
    count = len(streams)
    ones = int.from_bytes(struct.pack("<Q", 1) * count, "little")
    low = ones * MASK
    halves = int.from_bytes(struct.pack(f"<{count}Q", *streams), "little")
    start = [ones * word for word in struct.unpack("<14I", b"expand 32-byte k" + key + struct.pack("<Q", counter))]
    start += [halves & low, halves >> 32 & low]
    x = start.copy()

    def quarter(a: int, b: int, c: int, d: int) -> None:
        for first, second, third, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[first] = x[first] + x[second] & low
            mixed = x[third] ^ x[first]
            x[third] = (mixed << bits | mixed >> 32 - bits) & low

    for _ in range(rounds // 2):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for diagonal in range(4):
            quarter(diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
    sums = [(a + b & low).to_bytes(8 * count, "little") for a, b in zip(x, start)]
    return list(zip(*(struct.unpack(f"<{count}Q", words) for words in sums)))


def murmur2(data: bytes) -> int:
    """Kafka's `Utils.murmur2`, without sign."""
    m, whole = 0x5BD1E995, len(data) // 4 * 4
    h = 0x9747B28C ^ len(data)
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        k = word * m & MASK
        h = h * m & MASK ^ (k ^ k >> 24) * m & MASK
    if data[whole:]:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & MASK
    h = (h ^ h >> 13) * m & MASK
    return h ^ h >> 15


class Words(NamedTuple):
    """The first 16 words of a lane."""

    words: tuple[int, ...]

    def long(self, position: int) -> int:
        return self.words[position] | self.words[position + 1] << 32

    def between(self, position: int, low: int, high: int) -> int:
        return low + (self.words[position] * (high - low + 1) >> 32)


class Plan(NamedTuple):
    """Of an auction: its times in milliseconds (its arrival in microseconds) and its user."""

    arrival_us: int
    received_ms: int
    event_ms: dict[str, int]
    user: int


class Place(NamedTuple):
    """Where a record stands in the total order: the fields, in this order, are the order."""

    emit_ms: int
    n: int
    stage: int
    copy: int


FUNNEL_LANE = 0
LANES = {
    "late": 16,
    "duplicates": 17,
    "conflicts": 18,
    "orphans": 19,
    "boundary": 20,
    "malformed": 21,
    "invalid": 22,
    "tombstones": 23,
    "hot-user": 24,
}
FAULTS = (*tuple(LANES)[:8], "idle", "hot-user")
"""The planned faults, in the order of the canonical form."""
COPIES = ("event", "duplicate", "conflict", "malformed", "invalid", "tombstone")
"""What a record is of its event, by the number of its copy."""
EXTRA = {3: "malformed", 4: "invalid", 5: "tombstones"}
"""The faults that add records with ids of their own, by their number of copy."""
UNITS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


def span_ms(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(h|m|s|ms)", text).groups()
    return int(number) * UNITS[unit]


def span_text(ms: int) -> str:
    """In the largest unit that is exact."""
    unit = next(unit for unit, length in UNITS.items() if ms % length == 0)
    return f"{ms // UNITS[unit]}{unit}"


def decimal_text(text: str) -> str:
    return format(Decimal(text).normalize(), "f")


def threshold(rate: str) -> int:
    return int(Fraction(rate) * 2**64)


class Faults:
    """Planned faults, read from the texts of their options; one whose share is 0 is off."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.thresholds: dict[str, int] = {}
        self.spans: dict[str, list[int]] = {}
        self.idle: tuple[str, str, int] | None = None
        shown = {}
        for name, text in texts.items():
            if name == "idle":
                stage, begin, span = re.fullmatch(r"(\w+):(.*):(\w+)", text).groups()
                begin = time_text(ms_of(begin)) if "T" in begin else span_text(span_ms(begin))
                self.idle = (stage, begin, span_ms(span))
                shown[name] = f"{stage}:{begin}:{span_text(span_ms(span))}"
                continue
            share, _, spans = text.partition(":")
            if not Fraction(share):
                continue
            default = {"late": "1s", "duplicates": "1s", "conflicts": "1s", "boundary": "100ms,500ms,10s"}.get(name)
            self.thresholds[name] = threshold(share)
            self.spans[name] = [span_ms(span) for span in (spans or default or "").split(",") if span]
            shown[name] = ":".join([decimal_text(share), *filter(None, [",".join(map(span_text, self.spans[name]))])])
        self.shown = {name: shown[name] for name in FAULTS if name in shown}

    def idle_ms(self, stage: str, epoch_ms: int) -> range:
        """When a stage is silent."""
        if not self.idle or self.idle[0] != stage:
            return range(0)
        _, begin, length_ms = self.idle
        begin_ms = ms_of(begin) if "T" in begin else epoch_ms + span_ms(begin)
        return range(begin_ms, begin_ms + length_ms)

    def lag_ms_max(self) -> int:
        """The largest lag of an emit time behind the request: more than an hour is refused."""
        response, behind, click = 80, 495, 10_000
        impression = 500
        if bounds := self.spans.get("boundary"):
            response, behind, click = (max(most, bound + 1) for most, bound in zip((response, behind, click), bounds))
            impression = max(impression, response + behind)
        copies = max(self.spans.get(name, [0])[0] for name in ("duplicates", "conflicts"))
        held = self.spans.get("late", [0])[0] + copies
        idle = {self.idle[0]: self.idle[2]} if self.idle else {}
        events = zip(STAGES, (0, response, impression, impression + click))
        return max(event + held + idle.get(stage, 0) for stage, event in events)


def ms_of(time: str) -> int:
    return (datetime.fromisoformat(time) - datetime.fromisoformat("1970-01-01T00:00:00Z")) // US // 1_000


@dataclass
class Spec:
    """A stream, by the program's options: auctions a second, and the rates of response, win and click."""

    seed: int = 42
    per_second: str = "10"
    epoch: str = "2026-01-01T00:00:00.000Z"
    rates: tuple[str, str, str] = ("0.6", "0.15", "0.02")
    users: int = 100_000
    key_by: str = "id"
    headers: bool = False
    faults: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.key = hashlib.sha256(f"mock-data-gen:v1:auction:{self.seed}".encode()).digest()
        self.space = namespace(self.seed)
        per_second = Fraction(self.per_second)
        self.num, self.c = per_second.numerator, 10**6 * per_second.denominator
        self.epoch_ms = ms_of(self.epoch)
        self.epoch_us = self.epoch_ms * 1_000
        self.thresholds = [threshold(rate) for rate in self.rates]
        self.planned = Faults(self.faults)
        self.idle_ms = {stage: self.planned.idle_ms(stage, self.epoch_ms) for stage in STAGES}
        room_us = LIMIT_MS * 1_000 - self.epoch_us
        self.auctions = room_us * self.num // self.c
        self.id = self.stream_id()
        self.drawn: dict[tuple[int, int], Words] = {}

    def slot_start_us(self, n: int) -> int:
        """s(n) = ceil(n * c / num)."""
        return -(-n * self.c // self.num)

    def draw(self, ordinals: Iterable[int], lanes: Iterable[int]) -> None:
        """Draws lanes of some auctions, all at once."""
        places = [(n, lane) for lane in lanes for n in ordinals]
        blocks = chacha_blocks(self.key, 0, [n * 64 + lane for n, lane in places], rounds=8)
        self.drawn.update(zip(places, map(Words, blocks)))

    def lane(self, n: int, lane: int) -> Words:
        if (n, lane) not in self.drawn:
            self.draw([n], [lane])
        return self.drawn[n, lane]

    def fault_lane(self, n: int, fault: str) -> Words:
        return self.lane(n, LANES[fault])

    def meets(self, n: int, fault: str, stage: int) -> bool:
        """Whether a fault that is on meets a stage: words 4 * stage and the next of its lane."""
        limit = self.planned.thresholds.get(fault, 0)
        return limit > 0 and self.fault_lane(n, fault).long(4 * stage) < limit

    def plan(self, n: int) -> Plan:
        """Of auction n, from words 0 to 12 of its lane 0, and the lanes of the faults that change it."""
        words = self.lane(n, FUNNEL_LANE)
        start_us, next_us = self.slot_start_us(n), self.slot_start_us(n + 1)
        arrival_us = self.epoch_us + start_us + (words.words[0] * (next_us - start_us) >> 32)
        request_ms = arrival_us // 1_000
        received_after = words.between(7, 1, 50)
        response_after = words.between(8, max(5, received_after + 1), 80)
        # Each behind its parent, so that what follows from a child that is moved is moved along.
        behind = [response_after, words.between(9, 100, 500) - response_after, words.between(10, 1_000, 10_000)]
        for stage, bound_ms in enumerate(self.planned.spans.get("boundary", ()), start=1):
            if self.meets(n, "boundary", stage):
                behind[stage - 1] = bound_ms + self.fault_lane(n, "boundary").between(4 * stage + 2, -1, 1)
        event_ms = {"request": request_ms}
        times = itertools.accumulate(behind, initial=request_ms)
        for stage, position, limit, time_ms in zip(STAGES[1:], (1, 3, 5), self.thresholds, list(times)[1:]):
            if words.long(position) >= limit:
                break
            event_ms[stage] = time_ms
        user = 0 if self.meets(n, "hot-user", 0) else words.long(11) * self.users >> 64
        return Plan(arrival_us, request_ms + received_after, event_ms, user)

    def places(self, n: int, plan: Plan) -> Iterator[Place]:
        """Of the records of an auction, not in order."""
        for index, stage in enumerate(STAGES):
            if stage in plan.event_ms:
                for copy, due_ms in self.due_ms(n, index, plan.event_ms[stage]):
                    idle = self.idle_ms[stage]
                    yield Place(idle.stop if due_ms in idle else due_ms, n, index, copy)

    def due_ms(self, n: int, stage: int, event_ms: int) -> Iterator[tuple[int, int]]:
        """Of a stage that happens: which copies there are, and when they would be emitted if no stage were idle."""

        def delay(fault: str, low: int) -> int:
            return self.fault_lane(n, fault).between(4 * stage + 2, low, self.planned.spans[fault][0])

        if STAGES[stage] == "click" or not self.meets(n, "orphans", stage):
            own_ms = event_ms + (delay("late", 1) if self.meets(n, "late", stage) else 0)
            yield 0, own_ms
            for copy, fault in ((1, "duplicates"), (2, "conflicts")):
                if self.meets(n, fault, stage):
                    yield copy, own_ms + delay(fault, 0)
        for copy, fault in EXTRA.items():
            if self.meets(n, fault, stage):
                yield copy, event_ms

    def walk(self, ordinals: range) -> tuple[dict[int, Plan], list[Place]]:
        """The plans of some auctions, and the places of all their records, in order."""
        self.drawn.clear()
        lanes = [lane for fault, lane in LANES.items() if fault in self.planned.thresholds]
        self.draw(ordinals, [FUNNEL_LANE, *lanes])
        plans = {n: self.plan(n) for n in ordinals}
        return plans, sorted(place for n, plan in plans.items() for place in self.places(n, plan))

    def first_from_ms(self, time_ms: int) -> int:
        """The least ordinal that arrives at or after a time."""
        time_us = time_ms * 1_000
        n = (time_us - self.epoch_us) * self.num // self.c
        if n >= self.auctions:
            return self.auctions
        return n if self.plan(n).arrival_us >= time_us else n + 1

    def stream_id(self) -> str:
        """SHA-256 of the canonical form."""
        return hashlib.sha256(self.canonical_form().encode()).hexdigest()

    def canonical_form(self) -> str:
        per_second, respond, win, click = map(decimal_text, (self.per_second, *self.rates))
        faults = ",".join(f'"{name}":"{text}"' for name, text in self.planned.shown.items())
        return (
            f'{{"stream_version":1,"seed":"{self.seed}","epoch":"{self.epoch}","events_per_second":"{per_second}",'
            f'"bid_response_rate":"{respond}","win_rate":"{win}","click_rate":"{click}",'
            f'"users":{self.users},"profile":"seed","key_by":"{self.key_by}","headers":{str(self.headers).lower()}'
            + (f',"faults":{{{faults}}}}}' if faults else "}")
        )

    def key_of(self, place: Place, plan: Plan) -> str:
        if place.copy in EXTRA:
            return ident(self.space, COPIES[place.copy], 4 * place.n + place.stage)
        if self.key_by == "user":
            return ident(self.space, "user", plan.user)
        kind = ("bid-request", "bid-response", "impression", "click")[place.stage if self.key_by == "id" else 0]
        return ident(self.space, kind, place.n)

    def headers_of(self, place: Place) -> dict[str, str]:
        if not self.headers:
            return {}
        return dict(zip(HEADERS, (self.id, str(place.n), STAGES[place.stage], str(place.copy))))

    def options(self) -> list[object]:
        clock = ["--epoch", self.epoch, "--events-per-second", self.per_second]
        rates = [word for pair in zip(RATES, self.rates) for word in pair]
        headers = ["--headers"] if self.headers else []
        faults = [word for name, text in self.faults.items() for word in (f"--{name}", text)]
        return ["--seed", self.seed, *clock, *rates, "--users", self.users, "--key-by", self.key_by, *headers, *faults]


class Fingerprints:
    """SHA-256 over each partition's records, and over all partitions."""

    def __init__(self) -> None:
        self.partitions: dict = {}

    def add(self, record: Record) -> None:
        place = (TOPICS[STAGES.index(record.stage)].encode(), record.partition)
        digest = self.partitions.setdefault(place, hashlib.sha256())
        value = struct.pack(">I", MASK) if record.value is None else sized(record.value)
        digest.update(struct.pack(">q", record.timestamp_ms) + sized(record.key.encode()) + value)
        digest.update(struct.pack(">I", len(record.headers)))
        for name, value in record.headers.items():
            digest.update(sized(name.encode()) + sized(value.encode()))

    def total(self) -> str:
        parts = sorted((topic, number, digest.digest()) for (topic, number), digest in self.partitions.items())
        return hashlib.sha256(
            b"".join(sized(topic) + struct.pack(">I", number) + digest for topic, number, digest in parts)
        ).hexdigest()


def sized(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def window_of(spec: Spec, near: int, count: int, to_time: bool = False) -> tuple[range, list[object]]:
    """About `count` auctions from about ordinal `near` on, and the options that choose them."""
    from_ms = -(-(spec.epoch_us + spec.slot_start_us(near)) // 1_000)
    first = spec.first_from_ms(from_ms)
    end = first + count
    window = ["--from", time_text(from_ms), "--count", count]
    if to_time:
        to_ms = min(from_ms + count * spec.c // spec.num // 1_000, LIMIT_MS)
        end = spec.first_from_ms(to_ms)
        window[2:] = ["--to", time_text(to_ms)]
    return range(first, end), window


@functools.lru_cache(2**14)
def partition_of(key: str, partitions: int) -> int:
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def check(spec: Spec, near: int, count: int, to_time: bool = False, partitions: int = 6) -> None:
    """Plays a window without planned faults and compares each record."""
    ordinals, window = window_of(spec, near, count, to_time)
    from_ms = ms_of(window[1])
    if ordinals.stop == spec.auctions:
        check_end(spec, ordinals.start, from_ms)
    plans, due = spec.walk(ordinals)

    run = Run(*spec.options(), *window, "--partitions", partitions, "--fingerprint")
    fingerprints = Fingerprints()
    for record, place in itertools.zip_longest(run, due):
        if record is None or place is None:
            fail(f"{run}: {'more' if place is None else 'fewer'} records than the {len(due):,} of the law")
        stage, plan = STAGES[place.stage], plans[place.n]
        where = f"{run}: auction {place.n}, {stage}"
        key = spec.key_of(place, plan)
        expect(f"{where}: stage and key in order", (record.stage, record.key), (stage, key))
        expect(f"{where}: timestamp", record.timestamp_ms, place.emit_ms)
        expect(f"{where}: partition", record.partition, partition_of(key, partitions))
        expect(f"{where}: headers", list(record.headers.items()), list(spec.headers_of(place).items()))
        check_document(where, spec, stage, plan, record)
        fingerprints.add(record)
    check_report(run, spec, ordinals, plans, due, fingerprints)
    counts = " + ".join(f"{sum(place.stage == stage for place in due):,}" for stage in range(4))
    say(
        f"{spec.per_second} a second, seed {spec.seed}, rates {'/'.join(spec.rates)}, key by {spec.key_by}, "
        f"auctions {ordinals.start:,} to {ordinals.stop - 1:,} of {spec.auctions:,} from {time_text(from_ms)}: "
        f"{counts} records, fingerprint {fingerprints.total()[:8]}…"
    )


def check_document(where: str, spec: Spec, stage: str, plan: Plan, record: Record) -> None:
    """The times and the user in a well-formed document."""
    document = record.document()
    expect(f"{where}: event_timestamp", document["event_timestamp"], time_text(plan.event_ms[stage]))
    if stage == "request":
        expect(f"{where}: received_at", document["received_at"], time_text(plan.received_ms))
        user = [ident(spec.space, kind, plan.user) for kind in ("user", "buyer")]
        expect(f"{where}: user", [document["user"]["id"], document["user"]["buyeruid"]], user)


def check_end(spec: Spec, first: int, from_ms: int) -> None:
    """One auction more than the stream has is refused, and the last one is named."""
    window = ["--from", time_text(from_ms), "--count", spec.auctions - first + 1]
    command = [BINARY, "--sink", "stdout", "--fast", *map(str, [*spec.options(), *window])]
    beyond = subprocess.run(command, capture_output=True, env={})
    expect(f"exit code and bytes beyond auction {spec.auctions - 1}", (beyond.returncode, len(beyond.stdout)), (2, 0))
    text = beyond.stderr.decode()
    require(str(spec.auctions - 1) in text, f"a window beyond auction {spec.auctions - 1} is refused otherwise: {text}")


def check_report(
    run: Run, spec: Spec, ordinals: range, plans: dict[int, Plan], due: list[Place], fingerprints: Fingerprints
) -> None:
    report, window = run.report, run.report["window"]
    expect(f"{run}: fingerprint", report["fingerprint"], fingerprints.total())
    expect(f"{run}: stream id", report["stream_id"], spec.id)
    expect(f"{run}: ordinals", (window["first_ordinal"], window["end_ordinal"]), (ordinals.start, ordinals.stop))
    arrivals = [time_text(plans[n].event_ms["request"]) for n in (ordinals[0], ordinals[-1])]
    expect(f"{run}: arrivals", [window["first_arrival"], window["last_arrival"]], arrivals)
    for index, stage in enumerate(report["stages"]):
        records = sum(place.stage == index for place in due)
        expect(f"{run}: records of a stage", (stage["stage"], stage["records"]), (STAGES[index], records))


def check_foundations() -> None:
    """Our ChaCha and murmur2 against published values, and the words that the Rust test pins."""
    (block,) = chacha_blocks(bytes(range(32)), 1 | 0x0900_0000 << 32, [0x4A00_0000], rounds=20)
    expect("ChaCha20, RFC 8439 section 2.3.2", f"{block[0]:08x} {block[15]:08x}", "e4e7f110 4e3c50a2")
    blocks = chacha_blocks(bytes(32), 0, [2**64 - 1, 0, 1], rounds=8)
    found = struct.pack("<16I", *blocks[1]).hex()
    expect("ChaCha8, draft-strombergson-chacha-test-vectors TC1", found[:32], "3e00ef2f895f40d67f5bb8e81f09a5a1")
    for text, signed in ((b"21", -973932308), (b"foobar", -790332482), (b"abc", 479470107), (b"", 275646681)):
        expect(f"murmur2 of {text!r} in Kafka's UtilsTest", murmur2(text), signed & MASK)
    pinned = (0x2A74D22C, 0xD3CC237B, 0x1AC3537C, 0xAE45400A)
    expect("the words that src/generator/random.rs pins for seed 42, ordinal 7", Spec(seed=42).lane(7, 0).words[:4], pinned)
    say("ChaCha20, ChaCha8 and murmur2 give the published values; seed 42, ordinal 7 begins with the pinned words")


def main() -> None:
    check_foundations()
    seeds = itertools.cycle((42, 0, SEED_MAX, 43))
    always = ("1", "1", "1")
    for per_second, rates in itertools.product(("10", "0.001", "3.333333", "1000000"), (Spec.rates, always)):
        spec = Spec(next(seeds), per_second, rates=rates)
        check(spec, 0, 1_000)
        # Auction 10^12, or where the stream ends before it: its last ones.
        check(spec, min(10**12, spec.auctions - 1_000), 1_000, to_time=True)
    fast = Spec(42, "1000000")
    check(fast, fast.auctions - 1_000, 1_000, to_time=True)
    uneven = ("0.123456789", "0.999999999", "0.500")
    leap = Spec(7, "999999.999999", "2024-02-29T12:34:56.789Z", uneven, users=17, key_by="request", headers=True)
    check(leap, 10**12, 1_000, partitions=12)
    slow = Spec(0, "0.001001", "1970-01-01T00:00:00.001Z", ("0.5", "0", "1"), users=1)
    check(slow, 0, 1_000, to_time=True, partitions=1)
    check(Spec(1, "50", rates=("1", "0.5", "0.5"), users=10**9, headers=True), 0, 1_000, partitions=97)
    check(Spec(2, "50", rates=always, users=300, key_by="user", headers=True), 10**6, 1_000, partitions=7)


if __name__ == "__main__":
    main()
