"""Engines take the tables that `schema --format ddl-…` prints, and the files of `--sink files` as their content.

DuckDB runs them always. ClickHouse does where `chdb` is installed, else that is said. Flink and Spark are not run here.
"""

import json
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import duckdb

from common import BINARY, expect, fail, require, say

EVENTS = {"request": "bid-requests", "response": "bid-responses", "impression": "impressions", "click": "clicks"}
# Lines with and without a deal, and a few clicks.
OPTIONS = ["--fast", "--count", "3000", "--win-rate", "0.5", "--click-rate", "0.5"]


def run(*args: str) -> str:
    done = subprocess.run([BINARY, *args], env={}, capture_output=True, text=True, check=False)
    if done.returncode:
        fail(f"{args}: {done.stderr}")
    return done.stdout


def documents(path: Path) -> list[dict]:
    return [json.loads(line, parse_float=Decimal) for line in path.read_text().splitlines()]


def bids(of: list[dict]) -> list[dict]:
    return [bid for document in of for seat in document["seatbid"] for bid in seat["bid"]]


def in_duckdb(folder: Path, truth: dict[str, list[dict]]) -> None:
    base = duckdb.connect()
    base.execute("SET TimeZone = 'America/St_Johns'")  # A session's zone must not matter.
    for event, topic in EVENTS.items():
        table = topic.replace("-", "_")
        base.execute(run("schema", event, "--format", "ddl-duckdb"))
        base.execute(f"COPY {table} FROM '{folder / topic}.ndjson' (FORMAT json)")
        count, first, last = base.sql(
            f"SELECT count(*), epoch_ms(min(event_timestamp)), epoch_ms(max(event_timestamp)) FROM {table}").fetchall()[0]
        times = sorted(base.sql(f"SELECT epoch_ms('{document['event_timestamp']}'::TIMESTAMPTZ)").fetchall()[0][0]
                       for document in (truth[event][0], truth[event][-1]))
        expect(f"{table}: rows", count, len(truth[event]))
        require(first <= times[0] and times[1] <= last, f"{table}: times")
        try:
            base.execute(f"INSERT INTO {table} (event_timestamp) VALUES (now())")
        except duckdb.ConstraintException:
            pass
        else:
            fail(f"{table}: takes a row without an id")
    price, kind = base.sql("SELECT sum(win_price), any_value(typeof(win_price)) FROM impressions").fetchall()[0]
    expect("win_price", (price, kind), (sum(one["win_price"] for one in truth["impression"]), "DECIMAL(12,2)"))
    found = base.sql("""SELECT count(*), count(bid.dealid), sum(bid.price), sum(bid.w) FROM (
        SELECT unnest(seat.bid) AS bid FROM (SELECT unnest(seatbid) AS seat FROM bid_responses))""").fetchall()[0]
    expect("bids", found, sums(truth))
    latitude = base.sql("SELECT sum(device.geo.lat) FROM bid_requests").fetchall()[0][0]
    expect("latitudes", latitude, sum(one["device"]["geo"]["lat"] for one in truth["request"]))
    say(f"DuckDB {duckdb.__version__} takes {len(EVENTS)} tables and {sum(map(len, truth.values())):,} documents, money exact")


def sums(truth: dict[str, list[dict]]) -> tuple:
    all_bids = bids(truth["response"])
    deals = sum("dealid" in bid for bid in all_bids)
    require(0 < deals < len(all_bids), "some bids have a deal and some have none")
    return len(all_bids), deals, sum(bid["price"] for bid in all_bids), sum(bid["w"] for bid in all_bids)


def in_clickhouse(folder: Path, truth: dict[str, list[dict]]) -> None:
    try:
        from chdb.session import Session
    except ImportError:
        say("ClickHouse is not run: chdb is not installed")
        return
    session = Session()
    session.query("CREATE DATABASE mdg ENGINE = Atomic")
    session.query("USE mdg")
    for event, topic in EVENTS.items():
        table = topic.replace("-", "_")
        session.query(run("schema", event, "--format", "ddl-clickhouse"))
        session.query(f"INSERT INTO {table} SETTINGS date_time_input_format = 'best_effort' "
                      f"SELECT * FROM file('{folder / topic}.ndjson', JSONEachRow)")
        expect(f"{table}: rows", int(str(session.query(f"SELECT count() FROM {table}", "TSV"))), len(truth[event]))
    found = str(session.query("""SELECT count(), count(bid.dealid), sum(bid.price), sum(bid.w) FROM (
        SELECT arrayJoin(tupleElement(arrayJoin(seatbid), 'bid')) AS bid FROM bid_responses)""", "TSV")).split()
    expect("bids", (int(found[0]), int(found[1]), Decimal(found[2]), int(found[3])), sums(truth))
    zone = str(session.query("SELECT toTypeName(event_timestamp), min(event_timestamp) FROM bid_requests GROUP BY 1", "TSV")).split("\t")
    expect("event_timestamp", zone[0].replace("\\", ""), "DateTime64(3, 'UTC')")
    expect("first", zone[1].strip() + "Z", min(one["event_timestamp"] for one in truth["request"]).replace("T", " "))
    say("ClickHouse takes the same by chdb")


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "files"
        run("--sink", "files", "--out", str(folder), *OPTIONS)
        truth = {event: documents(folder / f"{topic}.ndjson") for event, topic in EVENTS.items()}
        in_duckdb(folder, truth)
        in_clickhouse(folder, truth)


if __name__ == "__main__":
    sys.exit(main())
