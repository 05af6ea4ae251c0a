"""Recomputes every id of every kind, and every record key, with Python's `uuid.uuid5`.

NS = uuid5(NAMESPACE_URL, "urn:mock-data-gen:v1:seed:<seed>")
id = uuid5(NS, "<kind>:<ordinal>"), or "user:<k>" and "buyer:<k>" for member k of the pool, or for the extra records of
planned faults "malformed:<4 * ordinal + s>", "invalid:…" and "tombstone:…", where s is the stage's place from 0
"""

from collections import Counter

from common import ALWAYS, EPOCH_MS, SEED_MAX, STAGES, Run, expect, fail, ident, namespace, require, say, time_text

USERS = 500
OWN = {"request": "bid-request", "response": "bid-response", "impression": "impression", "click": "click"}
"""The kind that a stage's records are named, and by default keyed, by."""


def named(stage: str, document: dict) -> dict[str, str]:
    """Which kinds of ids of its auction a document shows, the stage's own first."""
    match stage:
        case "request":
            return {"bid-request": document["id"], "transaction": document["source"]["tid"]}
        case "response":
            bid = document["seatbid"][0]["bid"][0]
            return {
                "bid-response": document["id"],
                "bid": bid["id"],
                "ad": bid["adid"],
                "bidid": document["bidid"],
                "bid-request": document["ext"]["request_id"],
            }
        case "impression":
            return {
                "impression": document["impression_id"],
                "bid-request": document["request_id"],
                "bid-response": document["response_id"],
            }
        case "click":
            return {
                "click": document["click_id"],
                "bid-request": document["request_id"],
                "impression": document["impression_id"],
                "click-url": document["click_url"].rpartition("/")[2],
            }


def check(seed: int, ordinals: range, window: list, key_by: str, always: bool) -> None:
    """Plays a window of which we know the ordinals, and accounts for each of its records."""
    space = namespace(seed)
    ordinal_of = {stage: {ident(space, OWN[stage], n): n for n in ordinals} for stage in STAGES}
    member = {ident(space, "user", k): k for k in range(USERS)}
    seen: dict[str, set[int]] = {stage: set() for stage in STAGES}
    users: Counter[int] = Counter()
    kinds: Counter[str] = Counter()
    user_of: dict[int, str] = {}

    rates = ALWAYS if always else ()
    run = Run("--seed", seed, "--users", USERS, "--key-by", key_by, *window, *rates)
    for record in run:
        document = record.document()
        ids = named(record.stage, document)
        own = ids[OWN[record.stage]]
        n = ordinal_of[record.stage].get(own)
        if n is None:
            fail(f"seed {seed}: {own} is no {OWN[record.stage]} of the ordinals {ordinals}")
        where = f"seed {seed}, auction {n}, {record.stage}"
        require(n not in seen[record.stage], f"{where}: came twice")
        before = STAGES.index(record.stage) - 1
        require(before < 0 or n in seen[STAGES[before]], f"{where}: came without a {STAGES[before]} before it")
        seen[record.stage].add(n)
        for kind, found in ids.items():
            expect(f"{where}: {kind}", found, ident(space, kind, n))
            kinds[kind] += 1
        if record.stage == "request":
            k = member.get(document["user"]["id"])
            if k is None:
                fail(f"{where}: user {document['user']['id']} is no member of a pool of {USERS}")
            expect(f"{where}: buyeruid of user {k}", document["user"]["buyeruid"], ident(space, "buyer", k))
            users[k] += 1
            kinds.update(["user", "buyer"])
            user_of[n] = document["user"]["id"]
        keys = {"id": own, "request": ident(space, "bid-request", n), "user": user_of[n]}
        expect(f"{where}: key", record.key, keys[key_by])

    for stage in STAGES if always else STAGES[:1]:
        missing = set(ordinals) - seen[stage]
        require(not missing, f"seed {seed}: no {stage} of auctions {sorted(missing)[:5]}")
    records = sum(map(len, seen.values()))
    expect(f"seed {seed}: records of the report", run.report["records"], records)
    require(len(users) == USERS or len(ordinals) < 10_000, f"seed {seed}: only {len(users)} of {USERS} users came")
    expect(f"seed {seed}: kinds", len(kinds), 11)
    say(
        f"seed {seed}, auctions {ordinals[0]:,} to {ordinals[-1]:,}, key by {key_by}: {records:,} records and keys, "
        f"{kinds.total():,} ids of {len(kinds)} kinds ({min(kinds.values()):,} to {max(kinds.values()):,} each), "
        f"{len(users)} users, each {min(users.values())} to {max(users.values())} times"
    )


def check_extra(seed: int, count: int, key_by: str) -> None:
    """Plays a window in which each event has an extra record of each kind, whatever records are keyed by."""
    space = namespace(seed)
    faults = [word for fault in ("--malformed", "--invalid", "--tombstones") for word in (fault, "1")]
    run = Run("--seed", seed, "--count", count, "--key-by", key_by, "--headers", *ALWAYS, *faults)
    missing = {
        (stage, ident(space, kind, 4 * n + place))
        for kind in ("malformed", "invalid", "tombstone")
        for place, stage in enumerate(STAGES)
        for n in range(count)
    }
    expected = len(missing)
    for record in run:
        if record.headers["mdg-copy"] != "0":
            place = (record.stage, record.key)
            require(place in missing, f"{run}: {record.key} comes twice, or is no id of a {record.stage}")
            missing.remove(place)
    require(not missing, f"{run}: {len(missing):,} extra records are missing")
    expect(f"{run}: records", run.report["records"], expected + 4 * count)
    say(f"seed {seed}, key by {key_by}: {expected:,} extra records of three kinds, each keyed by an id of its own")


def main() -> None:
    for seed, key_by in ((42, "request"), (0, "user"), (SEED_MAX, "request")):
        check(seed, range(10_000), ["--count", 10_000], "id", always=True)
        check(seed, range(10_000), ["--count", 10_000], key_by, always=False)
    # A million auctions a second: each owns a microsecond, so auction 10^12 arrives at second 10^6, in 2026.
    far, half = 10**12, 1_000
    from_ms = EPOCH_MS + (far - half) // 1_000
    window = ["--events-per-second", 1_000_000, "--from", time_text(from_ms), "--count", 2 * half]
    for key_by in ("id", "request"):
        check(42, range(far - half, far + half), window, key_by, always=True)
    for key_by in ("id", "request", "user"):
        check_extra(42, 500, key_by)


if __name__ == "__main__":
    main()
