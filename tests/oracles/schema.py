"""The printed schemas are JSON Schema 2020-12, accept what the program writes, and reject every damage done to it."""

import copy
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from jsonschema import Draft202012Validator, FormatChecker, SchemaError

from common import ALWAYS, BINARY, STAGES, Run, expect, fail, require, say

DOCUMENTS = 5_000
FAULTY = 500
OPTIONAL = {"dealid"}
FORMATS = FormatChecker(("uuid", "ipv4"))

# Values that a schema refuses although their type is right: outside a range, too short, too long, or not of the format.
NO_UUID, NO_TIME = ("", "1", "63e8dea2cc5059e5b81c9da9621276bd"), ("", "2026-01-01", "2026-13-01T00:00:00.000Z")
SMALL, BIT = (-1, 65_536, 1.5), (-1, 2, 0.5)
REFUSED = {
    "request": {
        "id": NO_UUID,
        "imp/0/banner/w": SMALL,
        "imp/0/banner/h": SMALL,
        "imp/0/banner/pos": (-1, 5),
        "imp/0/bidfloor": (-0.01,),
        "imp/0/secure": BIT,
        "site/cat": ([], ["IAB1"] * 4),
        "device/ip": ("", "203.0.113", "203.0.113.256", "::1"),
        "device/geo/lat": (-180.0001, 180.0001),
        "device/geo/lon": (-180.0001, 180.0001),
        "device/geo/country": ("US", "USAX"),
        "device/devicetype": (0, 5),
        "user/id": NO_UUID,
        "user/buyeruid": NO_UUID,
        "at": (0, 3),
        "tmax": (99, 301),
        "source/fd": BIT,
        "source/tid": NO_UUID,
        "regs/coppa": BIT,
        "regs/ext/gdpr": BIT,
        "event_timestamp": NO_TIME,
        "received_at": NO_TIME,
    },
    "response": {
        "id": NO_UUID,
        "seatbid/0/bid/0/id": NO_UUID,
        "seatbid/0/bid/0/price": (-0.01,),
        "seatbid/0/bid/0/adid": NO_UUID,
        "seatbid/0/bid/0/w": SMALL,
        "seatbid/0/bid/0/h": SMALL,
        "bidid": NO_UUID,
        "ext/request_id": NO_UUID,
        "event_timestamp": NO_TIME,
    },
    "impression": {
        "impression_id": NO_UUID,
        "request_id": NO_UUID,
        "response_id": NO_UUID,
        "win_price": (-0.01,),
        "event_timestamp": NO_TIME,
    },
    "click": {
        "click_id": NO_UUID,
        "request_id": NO_UUID,
        "impression_id": NO_UUID,
        "event_timestamp": NO_TIME,
    },
}


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(text: object) -> bool:
    """RFC 3339; `jsonschema` itself knows this format only with a further package."""
    if not isinstance(text, str):
        return True
    shape = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    return bool(shape and datetime.fromisoformat(text))


def main() -> None:
    validators = {stage: validator(stage) for stage in STAGES}
    samples: dict[str, dict] = {}
    accepted: Counter[str] = Counter()
    for record in Run("--count", DOCUMENTS, *ALWAYS):
        document = json.loads(record.value)
        for error in validators[record.stage].iter_errors(document):
            fail(f"a {record.stage} is rejected at {error.json_path}: {error.message}")
        accepted[record.stage] += 1
        if record.stage != "response" or "dealid" in document["seatbid"][0]["bid"][0]:
            samples.setdefault(record.stage, document)
    for stage in STAGES:
        expect(f"{stage} documents", accepted[stage], DOCUMENTS)
        rejected: Counter[str] = Counter()
        for kind, what, damaged in (*damages(samples[stage]), *refused(stage, samples[stage])):
            require(not validators[stage].is_valid(damaged), f"a {stage} is accepted with {kind}: {what}")
            rejected[kind] += 1
        kinds = ", ".join(f"{count} {kind}" for kind, count in rejected.items())
        say(f"{stage}: accepts {accepted[stage]:,} documents, rejects {rejected.total()} damaged ones: {kinds}")
    check_faults(validators)


def check_faults(validators: dict[str, Draft202012Validator]) -> None:
    """Of planned faults a conflicting duplicate is accepted, and an invalid document is not."""
    seen: Counter[str] = Counter()
    for record in Run("--count", FAULTY, *ALWAYS, "--conflicts", 1, "--invalid", 1, "--headers"):
        copy_ = record.headers["mdg-copy"]
        valid = validators[record.stage].is_valid(json.loads(record.value))
        expect(f"a {record.stage} of copy {copy_} is accepted: {record.value!r}", valid, copy_ != "4")
        seen[copy_] += 1
    expect("records of each copy", seen, {copy_: len(STAGES) * FAULTY for copy_ in ("0", "2", "4")})
    say(f"accepts {seen['2']:,} conflicting duplicates, rejects {seen['4']:,} invalid documents of planned faults")


def validator(stage: str) -> Draft202012Validator:
    printed = subprocess.run([BINARY, "schema", stage], stdout=subprocess.PIPE, env={})
    expect(f"exit code of `schema {stage}`", printed.returncode, 0)
    schema = json.loads(printed.stdout)
    expect(f"$schema of {stage}", schema.get("$schema"), "https://json-schema.org/draft/2020-12/schema")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        fail(f"the schema of {stage} is not valid at {error.json_path}: {error.message}")
    return Draft202012Validator(schema, format_checker=FORMATS)


def damages(document: dict) -> Iterator[tuple[str, str, dict]]:
    """The document with one field left out, added or of a wrong type, for each object, list and value in it."""
    for path, value in walk(document):
        name = "/".join(map(str, path)) or "the document"
        if path and path[-1] not in OPTIONAL and isinstance(path[-1], str):
            yield "missing field", name, changed(document, path, None, leave_out=True)
        if isinstance(value, dict):
            yield "extra field", name, changed(document, path, {**value, "surplus": 1})
        if isinstance(value, list):
            yield "empty list", name, changed(document, path, [])
        for wrong in (7, "text", True, [], {}):
            if json_type(wrong) != json_type(value):
                yield "wrong type", f"{name} = {wrong!r}", changed(document, path, wrong)


def refused(stage: str, document: dict) -> Iterator[tuple[str, str, dict]]:
    """The document with each of the values that its schema refuses."""
    paths = {"/".join(map(str, path)): path for path, _ in walk(document)}
    for name, values in REFUSED[stage].items():
        for value in values:
            yield "refused value", f"{name} = {value!r}", changed(document, paths[name], value)
    for name in ("imp", "cur", "seatbid", "seatbid/0/bid", "seatbid/0/bid/0/adomain"):
        if name in paths and isinstance(found := value_at(document, paths[name]), list):
            yield "second item", name, changed(document, paths[name], found * 2)


def walk(value: object, path: tuple = ()) -> Iterator[tuple[tuple, object]]:
    """Everything in a document, with its path."""
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        yield from walk(inner, (*path, step))


def value_at(document: dict, path: tuple) -> object:
    for step in path:
        document = document[step]
    return document


def changed(document: dict, path: tuple, value: object, leave_out: bool = False) -> object:
    """A copy with another value at a path, or with nothing there."""
    if not path:
        return value
    copied = copy.deepcopy(document)
    parent = value_at(copied, path[:-1])
    parent[path[-1]] = value
    if leave_out:
        del parent[path[-1]]
    return copied


def json_type(value: object) -> str:
    """JSON's name of a value's type."""
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names[type(value)]


if __name__ == "__main__":
    main()
