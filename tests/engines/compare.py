#!/usr/bin/env python3
"""Compares what an engine printed with an answer key, row for row, in any order.

  compare.py late KEY OUTPUT TABLES     windows equal windows_W_flink; each inner join lies between inner_must and inner_raw
  compare.py ANYTHING KEY OUTPUT TABLES     joins and windows equal the key's tables of the same names

TABLES is a list with commas. OUTPUT has lines `TABLE> KIND[FIELD, ...]`. An engine may take back what it said (-U, -D), so rows are summed up first.
"""

import csv
import re
import sys
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

LINE = re.compile(r"(\w+)> ([+-])[IUD]\[(.*)\]")
STAGES = {"requests": "request", "responses": "response", "impressions": "impression", "clicks": "click"}


def ms(text: str) -> str:
    """A time of the engine, which is in UTC without saying so, as the key writes it."""
    time = datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
    whole = int(time.replace(microsecond=0).timestamp())
    return str(whole * 1_000 + time.microsecond // 1_000)


def field(text: str) -> str:
    """Null is an empty field in the key, a time is milliseconds."""
    if text == "null":
        return ""
    return ms(text) if re.match(r"\d{4}-\d\d-\d\dT", text) else text


def engine_tables(path: Path) -> dict[str, Counter]:
    """The rows of each table, with how often they stand there."""
    tables: dict[str, Counter] = {}
    with path.open() as lines:
        for line in lines:
            match = LINE.fullmatch(line.rstrip("\n"))
            if not match:
                sys.exit(f"{path}: not a row: {line[:300]!r}")
            name, sign, fields = match.groups()
            row = tuple(map(field, fields.split(", ")))
            tables.setdefault(name, Counter())[row] += 1 if sign == "+" else -1
    return tables


def key_table(key: Path, name: str) -> Counter:
    """A table of the key. Windows as an engine gives them: a row for each stage of which there is anything."""
    with (key / f"{name}.csv").open(newline="") as lines:
        header, *rows = csv.reader(lines)
    if not name.startswith("windows"):
        return Counter(map(tuple, rows))
    return Counter(
        {
            (row[0], row[1], STAGES[stage], count): 1
            for row in rows
            for stage, count in zip(header[2:], row[2:], strict=True)
            if count != "0"
        }
    )


def events(windows: Counter) -> int:
    """All that the windows count."""
    return sum(int(count) for *_, count in windows.elements())


def wants_none(what: str, rows: Counter) -> None:
    """Fails at rows that should not be there."""
    if rows := +rows:
        some = "\n".join(f"  {count} x {row}" for row, count in list(rows.items())[:5])
        sys.exit(f"compare.py: FAILED: {what}: {rows.total()} rows, such as\n{some}")


def main() -> None:
    profile, key, output, names = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4].split(",")
    tables = engine_tables(output)
    if not tables.keys() <= set(names):
        sys.exit(f"compare.py: FAILED: the engine gave {sorted(tables)}, asked for were {names}")
    for name in names:
        got = tables.get(name, Counter())
        wants_none(f"{name}: more taken back than said", Counter({row: -count for row, count in got.items()}))
        got = +got
        if profile != "late" or name.startswith("windows"):
            wanted = key_table(key, name.removesuffix("raw") + "flink" if profile == "late" else name)
            wants_none(f"{name}: only the engine has", got - wanted)
            wants_none(f"{name}: only the key has", wanted - got)
            dropped = events(key_table(key, name)) - events(got) if profile == "late" else 0
            say = f"equal, {dropped:,} of {events(key_table(key, name)):,} records dropped as late" if profile == "late" else "equal"
        else:
            must, may = key_table(key, name.replace("_raw", "_must")), key_table(key, name)
            wants_none(f"{name}: must be there", must - got)
            wants_none(f"{name}: may not be there", got - may)
            say = f"between {must.total():,} and {may.total():,}"
        print(f"{profile:8} {name:40} {got.total():9,} rows {say}")


if __name__ == "__main__":
    main()
