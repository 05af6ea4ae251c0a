"""Planned faults, written a second time from docs/stream-law.md: each record of windows with faults, byte for byte.

`stream_law.py` says which records there are, when they are emitted, and what they are keyed by. The values follow from
the documents of a second run, that of the same auctions without any fault but the hot user: moved in time, told
otherwise, with ids of their own, damaged.
"""

import itertools
import json
import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from common import BINARY, ROOT, SEED_MAX, STAGES, Record, Run, expect, fail, record_of, require, say, time_text
from stream_law import (
    COPIES,
    EXTRA,
    LIMIT_MS,
    Fingerprints,
    Place,
    Plan,
    Spec,
    check_document,
    check_report,
    ms_of,
    partition_of,
    span_text,
    window_of,
)

HOUR_MS = 3_600_000
SPECS = 20
AUCTIONS = 1_000
WORDS = re.compile(rb'"(?:win_)?price":([0-9.]+)|(?:"cr-|brand-)(\d+)|/article/(\d+)')
"""What a conflict tells otherwise: an amount, a creative's number, an article's."""
HOWS = (
    "event",
    "duplicate",
    "conflict",
    "cut off",
    "no colon",
    "no UTF-8",
    "time is a number",
    "no id",
    "tombstone",
)
"""How a record's value is made of its event's document."""
LABELS = ("late", "bound -1", "bound +0", "bound +1", "held", "hot")
"""What else is counted."""


def told_otherwise(document: bytes) -> bytes:
    """A cent more, the next creative of the seat's 20, the next article of the site's 100,000."""

    def other(match: re.Match) -> bytes:
        amount, creative, article = match.groups()
        if amount:
            cents = int(amount.replace(b".", b"")) + 1
            new = f"{cents // 100}.{cents % 100:02}"
        elif creative:
            seat, number = divmod(int(creative), 100)
            new = f"{seat * 100 + (number + 1) % 20}"
        else:
            new = f"{1 + int(article) % 100_000}"
        return match[0].removesuffix(match[match.lastindex]) + new.encode()

    return WORDS.sub(other, document)


def broken(document: bytes, word: int) -> tuple[str, bytes]:
    """No JSON any more, and how it was damaged."""
    how = ("cut off", "no colon", "no UTF-8")[word % 3]
    match how:
        case "cut off":
            damaged = document[: 1 + ((len(document) - 1) * word >> 32)]
        case "no colon":
            damaged = document.replace(b":", b"", 1)
        case _:
            damaged = b"\xff" + document[1:]
    try:
        json.loads(damaged)
    except ValueError:
        return how, damaged
    fail(f"JSON still: {damaged!r}")


def violating(document: bytes, event_ms: int, word: int) -> tuple[str, bytes]:
    """JSON that its schema refuses, and how it was damaged."""
    if word % 2 == 0:
        return "time is a number", with_time(document, str(event_ms))
    return "no id", b"{" + document.partition(b",")[2]


def with_time(document: bytes, time: str) -> bytes:
    """A document whose own time reads so."""
    before, name, behind = document.partition(b'"event_timestamp":')
    require(bool(name) and behind[:1] == b'"' and behind[25:26] == b'"', f"no time in {document!r}")
    return before + name + time.encode() + behind[26:]


def with_id(document: bytes, own: str) -> bytes:
    """A document whose own id, its first member, reads so."""
    name, quote, behind = document.partition(b':"')
    require(name in (b'{"id"', b'{"impression_id"', b'{"click_id"'), f"no id at the head of {document!r}")
    return name + quote + own.encode() + behind[36:]


def value_of(spec: Spec, place: Place, plan: Plan, document: bytes) -> tuple[str, bytes | None]:
    """A record's value, made of its event's document, and how it was made."""
    if place.copy in EXTRA:
        document = with_id(document, spec.key_of(place, plan))
        word = spec.fault_lane(place.n, EXTRA[place.copy]).words[4 * place.stage + 3]
    match COPIES[place.copy]:
        case "event":
            return "event", document
        case "duplicate":
            return "duplicate", document
        case "conflict":
            other = told_otherwise(document)
            require(other != document, f"a conflict that is none: {document!r}")
            return "conflict", other
        case "malformed":
            return broken(document, word)
        case "invalid":
            return violating(document, plan.event_ms[STAGES[place.stage]], word)
        case _:
            return "tombstone", None


def documents(
    spec: Spec, ordinals: range, window: list[object], moved: dict[int, Plan]
) -> dict[tuple[int, int], bytes]:
    """The events' documents of a window, by ordinal and stage: without faults but the hot user, then moved in time."""
    hot = {name: text for name, text in spec.faults.items() if name == "hot-user"}
    calm = replace(spec, key_by="id", headers=False, faults=hot)
    plans, due = calm.walk(ordinals)
    run = Run(*calm.options(), *window)
    found = {}
    for record, place in itertools.zip_longest(run, due):
        if record is None or place is None:
            fail(f"{run}: {'more' if place is None else 'fewer'} records than the {len(due):,} of the law")
        plan, stage = plans[place.n], STAGES[place.stage]
        where = f"{run}: auction {place.n}, {stage}"
        found_at = (record.stage, record.key, record.timestamp_ms)
        expect(f"{where}: stage, key and time", found_at, (stage, calm.key_of(place, plan), place.emit_ms))
        if stage == "request":
            check_document(where, calm, stage, plan, record)
        time = f'"{time_text(moved[place.n].event_ms[stage])}"'
        found[place.n, place.stage] = with_time(record.value, time)
    return found


def law(
    spec: Spec, ordinals: range, window: list[object], partitions: int, walked: tuple[dict[int, Plan], list[Place]]
) -> Iterator[tuple[Place, str, Record]]:
    """The records that a window must have, in order, each with its place and how its value was made."""
    plans, due = walked
    own = documents(spec, ordinals, window, plans)
    for place in due:
        plan, stage = plans[place.n], STAGES[place.stage]
        key = spec.key_of(place, plan)
        how, value = value_of(spec, place, plan, own[place.n, place.stage])
        partition = partition_of(key, partitions)
        yield place, how, Record(stage, partition, key, plan.event_ms[stage], spec.headers_of(place), value)


def check(spec: Spec, near: int, count: int, partitions: int = 6) -> tuple[range, Counter[str], str]:
    """Plays a window and compares every byte; tells its ordinals, how many records were made how, its fingerprint."""
    ordinals, window = window_of(spec, near, count)
    plans, due = walked = spec.walk(ordinals)
    run = Run(*spec.options(), *window, "--partitions", partitions, "--fingerprint")
    fingerprints = Fingerprints()
    made: Counter[str] = Counter()
    for record, expected in itertools.zip_longest(run, law(spec, ordinals, window, partitions, walked)):
        if record is None or expected is None:
            fail(f"{run}: {'more' if expected is None else 'fewer'} records than the {len(due):,} of the law")
        place, how, ours = expected
        expect_same(f"{run}: auction {place.n}, {how}", record, ours)
        fingerprints.add(ours)
        made[how] += 1
        made.update(labels(spec, place, plans[place.n]))
    check_report(run, spec, ordinals, plans, due, fingerprints)
    return ordinals, made, fingerprints.total()


def expect_same(where: str, record: Record, ours: Record) -> None:
    """Fails unless two records are equal, the order of their headers included."""
    if record != ours or list(record.headers) != list(ours.headers):
        fail(f"{where}: found\n{record}\nexpected\n{ours}")


def labels(spec: Spec, place: Place, plan: Plan) -> Iterator[str]:
    """What else is said of a record of an event: late, moved, held, hot."""
    n, stage, event_ms = place.n, place.stage, plan.event_ms[STAGES[place.stage]]
    if place.copy == 0 and spec.meets(n, "late", stage):
        yield "late"
    if place.copy == 0 and stage and spec.meets(n, "boundary", stage):
        bound_ms = spec.planned.spans["boundary"][stage - 1]
        yield f"bound {event_ms - plan.event_ms[STAGES[stage - 1]] - bound_ms:+}"
    if place.emit_ms == spec.idle_ms[STAGES[stage]].stop:
        yield "held"
    if place.copy == 0 and stage == 0 and spec.meets(n, "hot-user", 0):
        yield "hot"


def random_spec(random_: random.Random) -> tuple[Spec, int, int]:
    """A spec with random faults, about which ordinal to play it, and into how many partitions."""
    one_of, below = random_.choice, random_.randrange

    def share() -> str:
        return one_of(("0", "1", "0.05", "0.250", f"0.{below(10**9):09}", f"0.{below(10**9):09}"))

    def span(limit_ms: int) -> str:
        return one_of((span_text(one_of((1, 10, 1_000)) * (1 + below(limit_ms // 1_000))), f"{1 + below(limit_ms)}ms"))

    per_second = one_of(("10", "0.001", "7.25", "1000", "999999.999999", f"{1 + below(10_000)}.{below(10**6):06}"))
    rates = tuple(one_of(("1", "1", "0.9", f"0.{below(10**9):09}")) for _ in range(3))
    epoch_ms = 1 + below(4 * 10**12)
    users = one_of((1, 300, 100_000, 10**9))
    key_by = one_of(("id", "request", "user"))
    spec = Spec(below(2**64), per_second, time_text(epoch_ms), rates, users, key_by, one_of((False, True)))
    near = one_of((0, below(10**6), below(spec.auctions - AUCTIONS - 1)))

    faults = {}
    for name, limit_ms in (("late", one_of((30_000, 1_800_000))), ("duplicates", 20_000), ("conflicts", 20_000)):
        share_, span_ = share(), span(limit_ms)
        faults[name] = one_of((share_, f"{share_}:{span_}", f"{share_}:{span_}"))
    bounds = (span(one_of((1_000, 200_000))) for _ in range(3))
    faults["boundary"] = one_of((share(), f"{share()}:{','.join(bounds)}"))
    for name in ("orphans", "malformed", "invalid", "tombstones", "hot-user"):
        faults[name] = share()
    # Idle somewhere in the window.
    begin_ms = (spec.slot_start_us(near) + below(AUCTIONS) * spec.c // spec.num) // 1_000 + below(10_000)
    begin = one_of((span_text(max(1, begin_ms)), f"{max(1, begin_ms)}ms", time_text(spec.epoch_ms + begin_ms)))
    if begin_ms >= 2**64 // 10**6:
        # Its spans are parsed as nanoseconds.
        begin = time_text(spec.epoch_ms + begin_ms)
    faults["idle"] = f"{one_of(STAGES)}:{begin}:{span(one_of((20_000, 600_000)))}"
    # Options in any order, most faults on.
    chosen = random_.sample(list(faults), len(faults))
    spec = replace(spec, faults={name: faults[name] for name in chosen if below(4)})
    return spec, near, one_of((1, 6, 7, 12, 97))


def check_random() -> Counter[str]:
    random_ = random.Random("planned faults")
    all_made: Counter[str] = Counter()
    for index in range(SPECS):
        spec, near, partitions = random_spec(random_)
        _, made, fingerprint = check(spec, near, AUCTIONS, partitions)
        all_made += made
        faults = " ".join(f"{name} {text}" for name, text in spec.planned.shown.items())
        records = sum(made[how] for how in HOWS)
        say(f"spec {index}, key by {spec.key_by}, {faults}: {records:,} records, fingerprint {fingerprint[:8]}…")
    return all_made


def check_first_records(spec: Spec) -> None:
    """The golden file of first records, which are those of the first golden window with faults."""
    name = "first-records-faults.ndjson"
    lines = (ROOT / "snapshots/stream-v1" / name).read_bytes().splitlines(keepends=True)
    ordinals, window = window_of(spec, 0, len(lines))
    expected = law(spec, ordinals, window, 6, spec.walk(ordinals))
    for index, (line, (_, _, ours)) in enumerate(zip(lines, expected)):
        expect_same(f"{name}: record {index}", record_of(line), ours)
    expect(f"records of {name}", len(lines), 200)


def check_golden() -> None:
    """Every window of the golden file that has planned faults, and the stream ids of all."""
    lines = (ROOT / "snapshots/stream-v1/fingerprints.ndjson").read_text().splitlines()
    windows = 0
    for line in lines:
        golden = json.loads(line)
        form, first = golden["spec"], golden["first_ordinal"]
        rates = (form["bid_response_rate"], form["win_rate"], form["click_rate"])
        clock = (int(form["seed"]), form["events_per_second"], form["epoch"])
        spec = Spec(*clock, rates, form["users"], form["key_by"], form["headers"], form.get("faults", {}))
        canonical = spec.canonical_form()
        require(f'"spec":{canonical},' in line, f"the canonical form is {canonical}, not {line}")
        expect("stream id of a golden window", golden["stream_id"], spec.stream_id())
        if "faults" in form:
            (partitions,) = set(golden["partitions"])
            ordinals, made, fingerprint = check(spec, first, golden["auctions"], partitions)
            expect(f"first ordinal of {line}", ordinals.start, first)
            records = sum(made[how] for how in HOWS)
            found = (golden["records"], golden["fingerprint"])
            expect(f"records and fingerprint of {line}", found, (records, fingerprint))
            if not windows:
                check_first_records(spec)
            windows += 1
    say(f"the forms and stream ids of {len(lines)} golden windows, and every byte of the {windows} with faults")


def exit_code(spec: Spec) -> int:
    command = [BINARY, "--sink", "null", "--fast", "--count", "1", *map(str, spec.options())]
    return subprocess.run(command, capture_output=True, env={}).returncode


def check_limit() -> None:
    """Faults whose largest lag is an hour are taken, those with a millisecond more are not."""
    random_ = random.Random("an hour")
    for _ in range(12):
        spec, _, _ = random_spec(random_)
        others = {name: text for name, text in spec.faults.items() if name != "late"}
        rest_ms = HOUR_MS - replace(spec, faults=others).planned.lag_ms_max()
        if rest_ms > 1:
            for late_ms, code in ((rest_ms, 0), (rest_ms + 1, 2)):
                late = replace(spec, faults={**others, "late": f"0.1:{late_ms}ms"})
                if late_ms > HOUR_MS:
                    continue
                expect(f"exit code with a lag of {late.planned.lag_ms_max()} ms, {late.faults}", exit_code(late), code)
    say("a largest lag of one hour is taken, and one of a millisecond more is refused")


def check_end_of_time() -> Counter[str]:
    """The last auctions of a stream, whose records may lag an hour: the year is 9999 still."""
    share = {name: "0.9" for name in ("malformed", "invalid", "tombstones", "hot-user")}
    late = "0.9:3588897ms"  # With what follows, an hour behind the arrival at most.
    spec = Spec(SEED_MAX, "1000", faults={"late": late, "duplicates": "0.9:500ms", "boundary": "0.9", **share})
    _, made, fingerprint = check(spec, spec.auctions - AUCTIONS, AUCTIONS)
    last_ms = max(place.emit_ms for place in spec.walk(range(spec.auctions - AUCTIONS, spec.auctions))[1])
    require(LIMIT_MS < last_ms < ms_of("9999-12-31T23:59:59.999Z"), f"the last record is emitted at {last_ms}")
    say(f"the last auctions of a stream, the last record at {time_text(last_ms)}: fingerprint {fingerprint[:8]}…")
    return made


def main() -> None:
    made = check_random() + check_end_of_time()
    for what in (*HOWS, *LABELS):
        require(made[what] >= 200, f"only {made[what]} records were: {what}")
    say("compared byte for byte: " + ", ".join(f"{made[what]:,} {what}" for what in (*HOWS, *LABELS)))
    check_limit()
    check_golden()


if __name__ == "__main__":
    main()
