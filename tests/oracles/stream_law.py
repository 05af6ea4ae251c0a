"""The stream law, written a second time from the design: which records exist, when, in which order and partition.

All of it is recomputed with Python's integers from the seed, the rates and the ordinal, then compared record by record
with what the program writes; its fingerprint is recomputed from the bytes of that output.
"""

import hashlib
import itertools
import struct
import subprocess
from dataclasses import dataclass
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


def chacha_block(key: bytes, counter: int, stream: int, rounds: int) -> list[int]:
    """A block of ChaCha with a 64-bit counter and a 64-bit stream number, as 16 words."""
    start = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<QQ", counter, stream)))
    x = start.copy()

    def quarter(a: int, b: int, c: int, d: int) -> None:
        for first, second, third, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[first] = x[first] + x[second] & MASK
            mixed = x[third] ^ x[first]
            x[third] = (mixed << bits | mixed >> 32 - bits) & MASK

    for _ in range(rounds // 2):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for diagonal in range(4):
            quarter(diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
    return [a + b & MASK for a, b in zip(x, start)]


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


class Plan(NamedTuple):
    """Of an auction: its times in milliseconds (its arrival in microseconds) and its user."""

    arrival_us: int
    received_ms: int
    event_ms: dict[str, int]
    user: int


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

    def __post_init__(self) -> None:
        self.key = hashlib.sha256(f"mock-data-gen:v1:auction:{self.seed}".encode()).digest()
        self.space = namespace(self.seed)
        per_second = Fraction(self.per_second)
        self.num, self.c = per_second.numerator, 10**6 * per_second.denominator
        self.epoch_us = (datetime.fromisoformat(self.epoch) - datetime.fromisoformat("1970-01-01T00:00:00Z")) // US
        self.thresholds = [int(Fraction(rate) * 2**64) for rate in self.rates]
        room_us = LIMIT_MS * 1_000 - self.epoch_us
        self.auctions = room_us * self.num // self.c

    def slot_start_us(self, n: int) -> int:
        """s(n) = ceil(n * c / num)."""
        return -(-n * self.c // self.num)

    def plan(self, n: int) -> Plan:
        """Of auction n, from words 0 to 12 of its lane 0."""
        words = chacha_block(self.key, 0, n * 64 + 0, rounds=8)

        def long(position: int) -> int:
            return words[position] | words[position + 1] << 32

        def between(position: int, low: int, high: int) -> int:
            return low + (words[position] * (high - low + 1) >> 32)

        start_us, next_us = self.slot_start_us(n), self.slot_start_us(n + 1)
        arrival_us = self.epoch_us + start_us + (words[0] * (next_us - start_us) >> 32)
        request_ms = arrival_us // 1_000
        received_after = between(7, 1, 50)
        impression_ms = request_ms + between(9, 100, 500)
        times = (
            request_ms,
            request_ms + between(8, max(5, received_after + 1), 80),
            impression_ms,
            impression_ms + between(10, 1_000, 10_000),
        )
        event_ms = {"request": request_ms}
        for stage, position, threshold, time_ms in zip(STAGES[1:], (1, 3, 5), self.thresholds, times[1:]):
            if long(position) >= threshold:
                break
            event_ms[stage] = time_ms
        return Plan(arrival_us, request_ms + received_after, event_ms, long(11) * self.users >> 64)

    def first_from_ms(self, time_ms: int) -> int:
        """The least ordinal that arrives at or after a time."""
        time_us = time_ms * 1_000
        n = (time_us - self.epoch_us) * self.num // self.c
        if n >= self.auctions:
            return self.auctions
        return n if self.plan(n).arrival_us >= time_us else n + 1

    def stream_id(self) -> str:
        """SHA-256 of the canonical form."""
        decimals = (self.per_second, *self.rates)
        per_second, respond, win, click = (format(Decimal(text).normalize(), "f") for text in decimals)
        form = (
            f'{{"stream_version":1,"seed":"{self.seed}","epoch":"{self.epoch}","events_per_second":"{per_second}",'
            f'"bid_response_rate":"{respond}","win_rate":"{win}","click_rate":"{click}",'
            f'"users":{self.users},"profile":"seed","key_by":"{self.key_by}","headers":{str(self.headers).lower()}}}'
        )
        return hashlib.sha256(form.encode()).hexdigest()

    def key_of(self, stage: str, n: int) -> str:
        kinds = dict(zip(STAGES, ("bid-request", "bid-response", "impression", "click")))
        return ident(self.space, kinds["request" if self.key_by == "request" else stage], n)

    def options(self) -> list[object]:
        clock = ["--epoch", self.epoch, "--events-per-second", self.per_second]
        rates = [word for pair in zip(RATES, self.rates) for word in pair]
        headers = ["--headers"] if self.headers else []
        return ["--seed", self.seed, *clock, *rates, "--users", self.users, "--key-by", self.key_by, *headers]


class Fingerprints:
    """SHA-256 over each partition's records, and over all partitions."""

    def __init__(self) -> None:
        self.partitions: dict = {}

    def add(self, record: Record) -> None:
        place = (TOPICS[STAGES.index(record.stage)].encode(), record.partition)
        digest = self.partitions.setdefault(place, hashlib.sha256())
        digest.update(struct.pack(">q", record.timestamp_ms) + sized(record.key.encode()) + sized(record.value))
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


def check(spec: Spec, near: int, count: int, to_time: bool = False, partitions: int = 6) -> None:
    """Plays about `count` auctions from about ordinal `near` on and compares each record."""
    from_ms = -(-(spec.epoch_us + spec.slot_start_us(near)) // 1_000)
    first = spec.first_from_ms(from_ms)
    end = first + count
    window = ["--from", time_text(from_ms), "--count", count]
    if to_time:
        to_ms = min(from_ms + count * spec.c // spec.num // 1_000, LIMIT_MS)
        end = spec.first_from_ms(to_ms)
        window[2:] = ["--to", time_text(to_ms)]
    if end == spec.auctions:
        check_end(spec, first, from_ms)
    plans = {n: spec.plan(n) for n in range(first, end)}
    due = sorted((ms, n, STAGES.index(stage)) for n, plan in plans.items() for stage, ms in plan.event_ms.items())

    run = Run(*spec.options(), *window, "--partitions", partitions, "--fingerprint")
    fingerprints = Fingerprints()
    for record, place in itertools.zip_longest(run, due):
        if record is None or place is None:
            fail(f"{run}: {'more' if place is None else 'fewer'} records than the {len(due):,} of the law")
        ms, n, index = place
        stage = STAGES[index]
        where = f"{run}: auction {n}, {stage}"
        key = spec.key_of(stage, n)
        expect(f"{where}: stage and key in order", (record.stage, record.key), (stage, key))
        expect(f"{where}: timestamp", record.timestamp_ms, ms)
        expect(f"{where}: partition", record.partition, (murmur2(key.encode()) & 0x7FFFFFFF) % partitions)
        values = (spec.stream_id(), str(n), stage, "0") if spec.headers else ()
        expect(f"{where}: headers", list(record.headers.items()), list(zip(HEADERS, values)))
        document = record.document()
        expect(f"{where}: event_timestamp", document["event_timestamp"], time_text(ms))
        if stage == "request":
            expect(f"{where}: received_at", document["received_at"], time_text(plans[n].received_ms))
            expect(f"{where}: user", document["user"]["id"], ident(spec.space, "user", plans[n].user))
        fingerprints.add(record)
    check_report(run, spec, range(first, end), plans, fingerprints)
    counts = " + ".join(f"{sum(index == stage for _, _, stage in due):,}" for index in range(4))
    say(
        f"{spec.per_second} a second, seed {spec.seed}, rates {'/'.join(spec.rates)}, auctions {first:,} to {end - 1:,}"
        f" of {spec.auctions:,} from {time_text(from_ms)}: {counts} records, fingerprint {fingerprints.total()[:8]}…"
    )


def check_end(spec: Spec, first: int, from_ms: int) -> None:
    """One auction more than the stream has is refused, and the last one is named."""
    window = ["--from", time_text(from_ms), "--count", spec.auctions - first + 1]
    command = [BINARY, "--sink", "stdout", "--fast", *map(str, [*spec.options(), *window])]
    beyond = subprocess.run(command, capture_output=True, env={})
    expect(f"exit code and bytes beyond auction {spec.auctions - 1}", (beyond.returncode, len(beyond.stdout)), (2, 0))
    text = beyond.stderr.decode()
    require(str(spec.auctions - 1) in text, f"a window beyond auction {spec.auctions - 1} is refused otherwise: {text}")


def check_report(run: Run, spec: Spec, ordinals: range, plans: dict[int, Plan], fingerprints: Fingerprints) -> None:
    report, window = run.report, run.report["window"]
    expect(f"{run}: fingerprint", report["fingerprint"], fingerprints.total())
    expect(f"{run}: stream id", report["stream_id"], spec.stream_id())
    expect(f"{run}: ordinals", (window["first_ordinal"], window["end_ordinal"]), (ordinals.start, ordinals.stop))
    arrivals = [time_text(plans[n].event_ms["request"]) for n in (ordinals[0], ordinals[-1])]
    expect(f"{run}: arrivals", [window["first_arrival"], window["last_arrival"]], arrivals)
    for stage in report["stages"]:
        records = sum(stage["stage"] in plan.event_ms for plan in plans.values())
        expect(f"{run}: records of stage {stage['stage']}", stage["records"], records)


def check_foundations() -> None:
    """Our ChaCha and murmur2 against published values, and the words that the Rust test pins."""
    block = chacha_block(bytes(range(32)), 1 | 0x0900_0000 << 32, 0x4A00_0000, rounds=20)
    expect("ChaCha20, RFC 8439 section 2.3.2", f"{block[0]:08x} {block[15]:08x}", "e4e7f110 4e3c50a2")
    block = chacha_block(bytes(32), 0, 0, rounds=8)
    found = struct.pack("<16I", *block).hex()
    expect("ChaCha8, draft-strombergson-chacha-test-vectors TC1", found[:32], "3e00ef2f895f40d67f5bb8e81f09a5a1")
    for text, signed in ((b"21", -973932308), (b"foobar", -790332482), (b"abc", 479470107), (b"", 275646681)):
        expect(f"murmur2 of {text!r} in Kafka's UtilsTest", murmur2(text), signed & MASK)
    words = chacha_block(Spec(seed=42).key, 0, 7 * 64, rounds=8)
    pinned = [0x2A74D22C, 0xD3CC237B, 0x1AC3537C, 0xAE45400A]
    expect("the words that src/draw.rs pins for seed 42, ordinal 7", words[:4], pinned)
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


if __name__ == "__main__":
    main()
