"""The answer key, recomputed by DuckDB from the records alone: every table, row for row, and the manifest's sums.

  answer_key.py                     plays windows with planned faults, checks their keys, and that damage is noticed
  answer_key.py RECORDS KEY         checks one key; RECORDS is a folder of `--sink files --envelope`, or a file of
                                    `--sink stdout`, which alone shows the order across topics; KEY is of `answer-key`
      --least-rows N                wants N rows in every table and for every label of the ledger
      --controls OTHER              does damage to the records in memory, and wants it noticed; OTHER holds the
                                    records of another seed
Of what is played, the environment may set SEED, COUNT and FAULTS; with FAULTS empty, nothing is asked of the labels.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb

from answer_key_sql import CLAIMS, EVENTS, FUNNEL, JOIN, RECORDS, WINDOWS, WINDOWS_COHORT, WINDOWS_FLINK
from common import BINARY, STAGES, expect, fail, ident, namespace, require, say

FAULTS = (
    "--late 0.05:20s --duplicates 0.02 --conflicts 0.02 --orphans 0.02 --boundary 0.05 --malformed 0.01 "
    "--invalid 0.01 --tombstones 0.01 --idle impression:10m:2m --hot-user 0.1"
)
LABELS = "late duplicate conflict orphan dropped boundary malformed invalid tombstone held hot_user".split()
EDGES = ("request_response", "response_impression", "impression_click")
KINDS = ("bid-request", "bid-response", "impression", "click")
TEXTS = {"topic", "stage", "id", "label", "parameters"}
LEDGER = "topic,partition,index,ordinal,stage,copy,id,event_ms,label,parameters".split(",")
WINDOW = ["window_start_ms", "window_end_ms", "requests", "responses", "impressions", "clicks"]
FUNNEL_COLUMNS = (
    "request_id,request_ms,response_id,response_ms,impression_id,impression_ms,click_id,click_ms,"
    "response_after_ms,impression_after_ms,click_after_ms,stage_reached,bid_price_micros,win_price_micros"
).split(",")


def is_text(column: str) -> bool:
    """Ids and names are text; all else is an integer."""
    return column in TEXTS or column.endswith("_id")


class Key:
    """A folder that `answer-key` wrote. All knowledge of the manifest's shape is here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        manifest = json.loads((folder / "manifest.json").read_text())
        self.bounds = {edge: manifest["bounds_ms"][edge] for edge in EDGES}
        self.window_ms = manifest["window_ms"]
        self.delay_ms = manifest.get("watermark_delay_ms")
        spec = manifest["spec"]
        self.space, self.key_by = namespace(int(spec["seed"])), spec.get("key_by", "id")
        window = manifest["window"]
        self.ordinals = range(window["first_ordinal"], window["end_ordinal"])
        self.max_disorder_ms = manifest["max_disorder_ms"]
        self.topics = {
            item["topic"]: (item["stage"], item["records"], item["max_disorder_ms"]) for item in manifest["topics"]
        }
        self.partitions = {
            (item["topic"], partition["partition"]): (partition["records"], partition["max_disorder_ms"])
            for item in manifest["topics"]
            for partition in item["partitions"]
        }
        self.columns = {item["name"]: item["columns"] for item in manifest["tables"]}
        tables = manifest["tables"]
        self.digests = {item["name"]: (item["rows"]["count"], item["rows"]["sum"]) for item in tables}
        self.files = {file["name"]: (file["bytes"], file["sha256"]) for item in tables for file in item["files"]}
        widths = [name.split("_")[1] for name in self.columns if name.startswith("windows") and name.endswith("raw")]
        require(len(widths) == 1, f"{folder} has windows of the widths {widths}, not of one")
        self.width = widths[0]

    def tables(self) -> dict[str, list[str]]:
        """The columns of every table that has to be there."""
        found = {"ledger": LEDGER, "funnel": FUNNEL_COLUMNS}
        for edge in EDGES:
            left, right = edge.split("_")
            kinds = ["inner_raw", "left_raw", "inner_dedup", "left_dedup", *(["inner_must"] if self.delay_ms is not None else [])]
            columns = [f"{left}_id", f"{left}_ms", f"{right}_id", f"{right}_ms"]
            found |= {f"join_{edge}_{kind}": columns for kind in kinds}
        kinds = ["raw", "dedup", "cohort", *(["flink"] if self.delay_ms is not None else [])]
        return found | {f"windows_{self.width}_{kind}": WINDOW for kind in kinds}


def check_forms(key: Key) -> Counter:
    """NDJSON and CSV hold the same rows in ordinal order; sums, counts and digests are the manifest's. Counts labels."""
    tables, labels = key.tables(), Counter()
    found = {path.name for path in key.folder.iterdir()} - {"manifest.json"}
    expect("files of the key", sorted(found), sorted(f"{name}.{form}" for name in tables for form in ("csv", "ndjson")))
    expect("files of the manifest", sorted(key.files), sorted(found))
    expect("tables of the manifest, and their columns", key.columns, tables)
    ordinal_of = {ident(key.space, kind, n): n for kind in KINDS for n in key.ordinals}
    for name, columns in tables.items():
        csv_bytes, json_bytes = ((key.folder / f"{name}.{form}").read_bytes() for form in ("csv", "ndjson"))
        for form, data in (("csv", csv_bytes), ("ndjson", json_bytes)):
            expect(f"{name}.{form} ends with a line end", data[-1:], b"\n" if form == "csv" or data else b"")
        header, *rows = csv_bytes.removesuffix(b"\n").split(b"\n")
        rows = [row.removesuffix(b"\r") for row in rows]
        expect(f"{name}.csv: header", header.removesuffix(b"\r").decode(), ",".join(columns))
        objects = json_bytes.splitlines()
        expect(f"{name}: rows of ndjson", len(objects), len(rows))
        total = sum(int.from_bytes(hashlib.sha256(row).digest()[:16]) for row in rows) % 2**128
        expect(f"{name}: digest", key.digests[name], (len(rows), f"{total:032x}"))
        for form, data in (("csv", csv_bytes), ("ndjson", json_bytes)):
            expect(f"{name}.{form}: bytes and sha256", key.files[f"{name}.{form}"], (len(data), hashlib.sha256(data).hexdigest()))
        least = -1
        for fields, line in zip(csv.reader(row.decode() for row in rows), objects, strict=True):
            other = json.loads(line)
            row = {c: None if f == "" else f if is_text(c) else int(f) for c, f in zip(columns, fields, strict=True)}
            expect(f"{name}: columns of ndjson", list(other), columns)
            if name == "ledger":
                row["parameters"] = json.loads(row["parameters"])
            expect(f"{name}: a row of csv beside that of ndjson", row, other)
            position = row["ordinal"] if name == "ledger" else fields[0] if name.startswith("windows") else ordinal_of.get(fields[0])
            require(position is not None, f"{name}: {fields[0]} is no id of the ordinals {key.ordinals}")
            position = int(position)
            require(position >= least, f"{name}: {row} stands behind {least}")
            least = position
            if name == "ledger":
                labels[row["label"]] += 1
                expect(f"{name}: ordinal of {row}", row["ordinal"], ordinal_of.get(row["id"], row["ordinal"]))
    return labels


def load(base: duckdb.DuckDBPyConnection, records: Path, topics: list[str]) -> None:
    """Makes the table `line` of emitted envelopes, each value as its exact text."""
    decoder = json.JSONDecoder()
    one = records.is_file()
    with tempfile.NamedTemporaryFile("w", newline="", suffix=".csv") as out:
        write = csv.writer(out)
        n = 0
        for path in [records] if one else [records / f"{topic}.ndjson" for topic in topics]:
            with path.open(newline="\n") as lines:
                for line in lines:
                    envelope = json.loads(line)
                    text = ""
                    if envelope.get("value") is not None:
                        begin = line.index(',"value":') + 9
                        text = line[begin : decoder.raw_decode(line, begin)[1]]
                    place = topics.index(envelope["topic"]), envelope["partition"], envelope["key"], envelope["timestamp"]
                    write.writerow([n, "" if one else envelope["topic"], *place, text, envelope.get("value_base64", "")])
                    n += 1
        out.flush()
        base.execute(
            f"""CREATE TABLE line AS SELECT * FROM read_csv('{out.name}', header = false, auto_detect = false, delim = ',',
            quote = '"', escape = '"', nullstr = '', max_line_size = 10000000, columns = {{n: 'BIGINT', sequence: 'VARCHAR', stage: 'INT',
            partition: 'INT', key: 'VARCHAR', timestamp_ms: 'BIGINT', value: 'VARCHAR', encoded: 'VARCHAR'}})"""
        )
    base.execute("UPDATE line SET sequence = '' WHERE sequence IS NULL")


def load_key(base: duckdb.DuckDBPyConnection, key: Key) -> None:
    """Makes the tables `csv_NAME` and `ndjson_NAME`, and of what the ids of the window are."""
    base.execute("CREATE TABLE named (stage INT, ordinal BIGINT, id VARCHAR)")
    for stage, kind in enumerate(KINDS):
        ids = [ident(key.space, kind, n) for n in key.ordinals]
        base.execute("INSERT INTO named SELECT ?, unnest(?), unnest(?)", [stage, list(key.ordinals), ids])
    for name, columns in key.tables().items():
        types = "{" + ", ".join(f"{c}: '{'VARCHAR' if is_text(c) else 'BIGINT'}'" for c in columns) + "}"
        path = key.folder / name
        base.execute(
            f"CREATE TABLE csv_{name} AS SELECT * FROM read_csv('{path}.csv', header = true, auto_detect = false, "
            f"""delim = ',', quote = '"', escape = '"', nullstr = '', columns = {types})"""
        )
        base.execute(f"CREATE TABLE ndjson_{name} AS SELECT * FROM read_json('{path}.ndjson', format = 'nd', columns = {types})")
    base.execute("CREATE TABLE stages AS SELECT unnest(range(4)) AS stage, unnest(?) AS name, unnest(?) AS topic", [STAGES, list(key.topics)])
    base.execute(
        "CREATE VIEW ledger AS SELECT l.* EXCLUDE (stage), l.index AS place, s.stage, s.topic = l.topic AS at_home "
        "FROM csv_ledger l LEFT JOIN stages s ON s.name = l.stage"
    )


def queries(key: Key, bounds: dict[str, int]) -> dict[str, str]:
    """The SQL of every table but the ledger."""
    found = {"funnel": FUNNEL}
    for edge, (name, hi) in enumerate(bounds.items()):
        for kind in ("inner", "left"):
            for form, only in (("raw", "true"), ("dedup", "is_first")):
                found[f"join_{name}_{kind}_{form}"] = JOIN.format(kind=kind, left=edge, right=edge + 1, only=only, hi=hi)
        if key.delay_ms is not None:
            only = f"behind_ms <= {key.delay_ms}"
            found[f"join_{name}_inner_must"] = JOIN.format(kind="inner", left=edge, right=edge + 1, only=only, hi=hi)
    for kind, only in (("raw", "true"), ("dedup", "is_first")):
        found[f"windows_{key.width}_{kind}"] = WINDOWS.format(width=key.window_ms, only=only)
    found[f"windows_{key.width}_cohort"] = WINDOWS_COHORT.format(width=key.window_ms)
    if key.delay_ms is not None:
        found[f"windows_{key.width}_flink"] = WINDOWS_FLINK.format(width=key.window_ms, delay=key.delay_ms)
    return found


def differences(base: duckdb.DuckDBPyConnection, key: Key, bounds: dict[str, int]) -> dict[str, list]:
    """By table or claim, the first rows that only the key or only DuckDB has. Empty where all agree."""
    base.execute(RECORDS)
    base.execute(EVENTS)
    found: dict[str, list] = {}
    for name, query in queries(key, bounds).items():
        base.execute(f"CREATE OR REPLACE TABLE mine AS {query}")
        for form in ("csv", "ndjson"):
            theirs = f"SELECT * FROM {form}_{name}"
            for whose, sql in (("only the key has", f"{theirs} EXCEPT ALL FROM mine"), ("only DuckDB has", f"FROM mine EXCEPT ALL {theirs}")):
                rows = base.execute(f"({sql}) LIMIT 3").fetchall()
                if rows:
                    found[f"{name}.{form}, {whose}"] = rows
    for claim, query in CLAIMS.items():
        query = query.format(key_by=key.key_by, hot_user=ident(key.space, "user", 0))
        rows = base.execute(f"{query} LIMIT 3").fetchall()
        if rows:
            found[f"against the claim '{claim}'"] = rows
    return found


def check_places(base: duckdb.DuckDBPyConnection, key: Key) -> None:
    """Records and disorder, of all that is emitted, for each partition, each topic as one source, and the whole."""
    query = "SELECT {at}, count(*), coalesce(greatest(max({behind}), 0), 0) FROM record r JOIN stages s ON s.stage = r.stage GROUP BY ALL"
    for what, at, behind, published in (
        ("partition", "s.topic, r.partition", "all_behind_ms", key.partitions),
        ("topic", "s.topic", "topic_behind_ms", {topic: row[1:] for topic, row in key.topics.items()}),
    ):
        rows = base.execute(query.format(at=at, behind=behind)).fetchall()
        found = dict.fromkeys(published, (0, 0)) | {row[:-2] if len(row) > 3 else row[0]: row[-2:] for row in rows}
        expect(f"records and max_disorder_ms of each {what}", published, found)
    expect("max_disorder_ms of all", key.max_disorder_ms, max(row[2] for row in key.topics.values()))
    records = sum(row[1] for row in key.topics.values())
    widest = max(disorder for _, disorder in key.partitions.values())
    say(f"{records:,} records in {len(key.partitions)} partitions, disorder up to {widest:,} ms in one, {key.max_disorder_ms:,} ms in a topic")


DAMAGE = {
    "one record less": "DELETE FROM line WHERE n = (SELECT min(n) FROM record WHERE stage = 3 AND place > 3)",
    "one duplicate more": "INSERT INTO line SELECT (SELECT max(n) + 1 FROM line), * EXCLUDE (n) FROM line "
    "WHERE n = (SELECT max(n) FROM event WHERE stage = 2)",
    "one time shifted over a bound": """
        UPDATE line SET timestamp_ms = late, value = regexp_replace(line.value, '"event_timestamp":"[^"]*"',
            '"event_timestamp":"' || strftime(make_timestamp(late * 1000), '%Y-%m-%dT%H:%M:%S.%gZ') || '"')
        FROM (SELECT c.n, p.ms + 10001 AS late FROM event c JOIN event p ON p.stage = 2 AND p.id = c.parent_id
            WHERE c.stage = 3 AND c.ms - p.ms <= 10000 ORDER BY c.n LIMIT 1) AS shifted WHERE shifted.n = line.n""",
}
"""What is done to the records, in memory, to see that it is noticed."""


def check_controls(base: duckdb.DuckDBPyConnection, key: Key, other: Path) -> None:
    """Each damage, alone, must make the comparison fail."""
    def noticed(what: str, bounds: dict[str, int]) -> None:
        found = differences(base, key, bounds)
        tables = sorted({place.split(".")[0] for place in found if not place.startswith("against")})
        require(tables, f"control '{what}' was not noticed in any table")
        say(f"control '{what}' is noticed in {len(tables)} tables: {', '.join(tables)}")

    base.execute("CREATE TABLE sound AS FROM line")
    for what, sql in DAMAGE.items():
        before = base.execute("SELECT count(*) FROM line").fetchone()
        base.execute(sql)
        changed = base.execute("SELECT count(*) FROM (FROM line EXCEPT ALL FROM sound) UNION ALL SELECT count(*) FROM line").fetchall()
        require(changed != [(0,), before], f"control '{what}' changed nothing")
        noticed(what, key.bounds)
        base.execute("CREATE OR REPLACE TABLE line AS FROM sound")
        differences(base, key, key.bounds)
    for edge, (name, hi) in enumerate(key.bounds.items()):
        # The widest pair of the edge is the first that a smaller bound loses.
        widest = base.execute(f"SELECT max({name.split('_')[1]}_ms - {name.split('_')[0]}_ms) FROM csv_join_{name}_inner_raw").fetchone()[0]
        noticed(f"bound of {name}: {widest - 1} ms, not {hi} ms", key.bounds | {name: widest - 1})
    base.execute("DROP TABLE line")
    load(base, other, list(key.topics))
    noticed("another seed", key.bounds)


def check(records: Path, folder: Path, least_rows: int, labels_wanted: list[str], other: Path | None) -> None:
    """One key against the records of its window."""
    begin = time.monotonic()
    key = Key(folder)
    labels = check_forms(key)
    require(set(labels) <= set(LABELS), f"unknown labels: {set(labels) - set(LABELS)}")
    base = duckdb.connect()
    load(base, records, list(key.topics))
    load_key(base, key)
    found = differences(base, key, key.bounds)
    if found:
        text = "\n".join(f"  {what}:\n" + "\n".join(f"    {row}" for row in rows) for what, rows in list(found.items())[:6])
        fail(f"{records} against {folder} differs in {len(found)} places, first:\n{text}")
    check_places(base, key)
    for name in sorted(key.tables()):
        count = key.digests[name][0]
        # Without faults there is nothing for the ledger to say.
        wanted = least_rows if name != "ledger" or labels_wanted else 0
        require(count >= wanted, f"{name}: {count} rows, fewer than {wanted}")
        say(f"{name:40} {count:9,} rows equal")
    if labels_wanted:
        say("ledger: " + ", ".join(f"{label} {labels[label]:,}" for label in labels_wanted))
        few = [label for label in labels_wanted if labels[label] < least_rows]
        require(not few, f"fewer than {least_rows} rows of {', '.join(few)}")
    if other:
        check_controls(base, key, other)
    say(f"{len(key.tables())} tables, {len(CLAIMS)} claims on the ledger, in {time.monotonic() - begin:.1f} s")


def play(path: Path, *options: object) -> None:
    """Plays a window to a file of envelopes."""
    with path.open("wb") as out:
        run = subprocess.run([BINARY, "--sink", "stdout", "--fast", *map(str, options)], stdout=out, stderr=subprocess.PIPE, env={})
    require(run.returncode == 0, f"{BINARY.name} {options} ended with {run.returncode}: {run.stderr.decode()}")


def random_spec(rng: random.Random, count: int, faulty: bool) -> tuple[tuple, tuple]:
    """Stream and window options with some of the faults, and options of a key for them."""
    def share() -> str:
        return str(rng.choice((0.01, 0.05, 0.3)))

    spread = {name: f"{share()}:{rng.choice(('1ms', '3s', '2m'))}" for name in ("--late", "--duplicates", "--conflicts")}
    rates = {"--boundary": share() + rng.choice(("", ":30ms,200ms,2s"))}
    rates |= {name: share() for name in ("--orphans", "--malformed", "--invalid", "--tombstones", "--hot-user")}
    idle = {"--idle": f"{rng.choice(STAGES)}:{rng.randrange(1, 9)}s:{rng.randrange(1, 99)}s"}
    faults = [word for pair in (spread | rates | idle).items() if rng.random() < 0.7 for word in pair]
    stream = {
        "--seed": rng.randrange(2**64),
        "--count": count,
        "--from": rng.choice(("epoch", "2026-01-01T00:00:05Z")),
        "--events-per-second": rng.choice(("2.5", "50", "1000")),
        "--bid-response-rate": rng.choice(("0.6", "1")),
        "--win-rate": rng.choice(("0.2", "1")),
        "--click-rate": rng.choice(("0.1", "1")),
        "--key-by": rng.choice(("id", "request", "user")),
        "--partitions": rng.choice((1, 4)),
    }
    bounds = {name: rng.choice(((40, 300, 5_000), (120, 480, 9_000), (1, 1, 100_000)))[edge] for edge, name in enumerate(EDGES)}
    key = [word for name, bound in bounds.items() if rng.random() < 0.5 for word in ("--bound", f"{name}={bound}ms")]
    key += ["--window", rng.choice(("10s", "1m", "1h"))]
    key += rng.choice(([], ["--watermark-delay", "100ms"], ["--watermark-delay", "1m"]))
    headers = rng.choice(([], ["--headers"]))
    return (*(word for pair in stream.items() for word in pair), *headers, *(faults if faulty else [])), tuple(key)


def check_played(folder: Path, options: tuple, key_options: tuple, least_rows: int, faults: list, other_seed: int | None) -> None:
    """Plays a window, writes its key, checks it; with another seed, that damage is noticed, too."""
    say("plays " + shlex.join(map(str, (*options, *key_options))))
    folder.mkdir()
    play(folder / "records", *options)
    command = [BINARY, "answer-key", "--out", folder / "key", *map(str, (*options, *key_options))]
    run = subprocess.run(command, capture_output=True, env={})
    require(run.returncode == 0, f"{shlex.join(map(str, command))} ended with {run.returncode}: {run.stderr.decode()}")
    other = None
    if other_seed is not None:
        other = folder / "other"
        play(other, "--seed", other_seed, *options[2:])
    check(folder / "records", folder / "key", least_rows, LABELS if faults and least_rows else [], other)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="?")
    parser.add_argument("key", type=Path, nargs="?")
    parser.add_argument("--least-rows", type=int, default=0)
    parser.add_argument("--controls", type=Path, metavar="OTHER")
    arguments = parser.parse_args()
    if arguments.key:
        labels = LABELS if arguments.least_rows else []
        check(arguments.records, arguments.key, arguments.least_rows, labels, arguments.controls)
        return
    seed, count = int(os.environ.get("SEED", "42")), int(os.environ.get("COUNT", "20000"))
    faults = shlex.split(os.environ.get("FAULTS", FAULTS))
    with tempfile.TemporaryDirectory() as temporary:
        room = Path(temporary)
        fixed = ("--seed", seed, "--count", count, "--from", "epoch", "--win-rate", "0.5", "--click-rate", "0.5", *faults)
        check_played(room / "fixed", fixed, ("--watermark-delay", "2s"), 20, faults, other_seed=seed + 1)
        for n in range(3):
            options, key_options = random_spec(random.Random(seed * 3 + n), count // 4, bool(faults))
            check_played(room / f"random{n}", options, key_options, 0, faults, other_seed=None)


if __name__ == "__main__":
    main()
