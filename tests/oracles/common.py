"""What the oracles share: playing a window of the program, the published rule of ids, and saying what was checked.

The environment variable MOCK_DATA_GEN names the program; without it, the debug build of this project is taken.
"""

import base64
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("MOCK_DATA_GEN") or ROOT / "target/debug/mock-data-gen").absolute()
if not BINARY.is_file():
    sys.exit(f"no program at {BINARY}: run cargo build, or set MOCK_DATA_GEN")

STAGES = ("request", "response", "impression", "click")
TOPICS = ("bid-requests", "bid-responses", "impressions", "clicks")
RATES = ("--bid-response-rate", "--win-rate", "--click-rate")
ALWAYS = tuple(word for option in RATES for word in (option, "1"))
"""Options under which every auction has all four records."""

SEED_MAX = 2**64 - 1
EPOCH_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z, where a stream begins by default."""

ENVELOPE = re.compile(
    rb'{"topic":"([^"]*)","partition":(\d+),"key":"([^"]*)","timestamp":(\d+)'
    rb'(?:,"headers":({[^}]*}))?,(?:"value":(?:({.*})|null)|"value_base64":"([A-Za-z0-9+/=]+)")}\n'
)


class Record(NamedTuple):
    """One line of `--sink stdout`."""

    stage: str
    partition: int
    key: str
    timestamp_ms: int
    headers: dict[str, str]
    value: bytes | None

    def document(self) -> dict:
        """The value, with the digits of its fractions kept."""
        return json.loads(self.value, parse_float=Decimal)


class Run:
    """A window played to standard output. Iterate over it to the end; then `report` holds the run's own."""

    def __init__(self, *options: object) -> None:
        self.options = ["--sink", "stdout", "--fast", "--report", "json", *map(str, options)]
        self.report: dict = {}

    def __iter__(self) -> Iterator[Record]:
        with tempfile.TemporaryFile() as errors:
            # An empty environment: no variable of the caller's is an option of this run.
            process = subprocess.Popen([BINARY, *self.options], stdout=subprocess.PIPE, stderr=errors, env={})
            with process:
                yield from map(record_of, process.stdout)
            errors.seek(0)
            text = errors.read().decode()
        if process.returncode != 0:
            fail(f"{self} ended with {process.returncode}: {text}")
        self.report = json.loads(text.splitlines()[-1])

    def __str__(self) -> str:
        return " ".join([BINARY.name, *self.options])


def record_of(line: bytes) -> Record:
    """Reads a line of `--sink stdout`."""
    match = ENVELOPE.fullmatch(line)
    if not match:
        fail(f"not an envelope: {line[:300]!r}")
    topic, partition, key, timestamp, headers, value, encoded = match.groups()
    if topic.decode() not in TOPICS:
        fail(f"the unknown topic {topic!r}")
    if encoded:
        value = base64.b64decode(encoded, validate=True)
    stage = STAGES[TOPICS.index(topic.decode())]
    return Record(stage, int(partition), key.decode(), int(timestamp), json.loads(headers) if headers else {}, value)


def namespace(seed: int) -> uuid.UUID:
    """The namespace of a seed's ids."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"urn:mock-data-gen:v1:seed:{seed}")


@functools.lru_cache(2**14)
def ident(space: uuid.UUID, kind: str, number: int) -> str:
    """The id of a kind and number."""
    return str(uuid.uuid5(space, f"{kind}:{number}"))


def time_text(ms: int) -> str:
    """RFC 3339, UTC, milliseconds, `Z`."""
    time = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=ms)
    return time.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def say(text: str) -> None:
    """One line about something that was checked and is right."""
    print(f"{Path(sys.argv[0]).stem}: {text}", flush=True)


def fail(text: str) -> NoReturn:
    """Ends the program at the first difference."""
    sys.exit(f"{Path(sys.argv[0]).stem}: FAILED: {text}")


def expect(what: str, found: object, expected: object) -> None:
    """Fails unless the two are equal."""
    if found != expected:
        fail(f"{what}: found {found!r}, expected {expected!r}")


def require(holds: bool, what: str) -> None:
    """Fails unless `holds`."""
    if not holds:
        fail(what)
