"""The SQL of the answer key's oracle. What a tester writes against the topics, as plainly as can be.

`line` holds the envelopes: n (place in the whole), sequence (records of one sequence are in emit order), stage 0..3,
partition, key, timestamp_ms, value (exact text; null in a tombstone), encoded (base64 of what is no JSON).
"""

RECORDS = """
CREATE OR REPLACE TABLE record AS
WITH document AS (
    SELECT *, row_number() OVER (PARTITION BY stage, partition ORDER BY n) - 1 AS place,
        CASE WHEN json_valid(value) THEN value::JSON END AS doc,
        max(timestamp_ms) OVER (PARTITION BY stage, partition ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            - timestamp_ms AS all_behind_ms,
        max(timestamp_ms) OVER (PARTITION BY stage ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            - timestamp_ms AS topic_behind_ms
    FROM line)
SELECT *, CASE stage WHEN 2 THEN doc ->> '$.impression_id' WHEN 3 THEN doc ->> '$.click_id' ELSE doc ->> '$.id' END AS id,
    coalesce(id IS NOT NULL AND json_type(doc, '$.event_timestamp') = 'VARCHAR', false) AS is_good,
FROM document
"""
"""Every record, with its place in its partition. What no reader can use is `NOT is_good`."""

EVENTS = """
CREATE OR REPLACE TABLE event AS
WITH good AS (
    SELECT n, sequence, stage, partition, place, id, timestamp_ms, value,
        epoch_ms((doc ->> '$.event_timestamp')::TIMESTAMP) AS ms,
        CASE stage WHEN 1 THEN doc ->> '$.ext.request_id' WHEN 2 THEN doc ->> '$.response_id'
            WHEN 3 THEN doc ->> '$.impression_id' END AS parent_id,
        CASE stage WHEN 0 THEN id WHEN 1 THEN doc ->> '$.ext.request_id' ELSE doc ->> '$.request_id' END AS request_id,
        (CASE stage WHEN 1 THEN doc ->> '$.seatbid[0].bid[0].price' WHEN 2 THEN doc ->> '$.win_price' END::DECIMAL(18, 6)
            * 1000000)::BIGINT AS price_micros,
        CASE stage WHEN 0 THEN doc ->> '$.user.id' END AS user_id,
    FROM record WHERE is_good)
SELECT *, row_number() OVER (PARTITION BY stage, id ORDER BY n) = 1 AS is_first,
    coalesce(max(ms) OVER (PARTITION BY stage, partition ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) - ms, 0)
        AS behind_ms,
    max(ms) OVER (PARTITION BY stage ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS topic_max_ms
FROM good
"""
"""The well-formed records, as events. `is_first`: of its id; `behind_ms`: the largest time before it in its partition."""

JOIN = """
SELECT l.id, l.ms, r.id, r.ms
FROM (FROM event WHERE stage = {left} AND {only}) l
{kind} JOIN (FROM event WHERE stage = {right} AND {only}) r ON r.parent_id = l.id AND r.ms BETWEEN l.ms AND l.ms + {hi}
"""

FUNNEL = """
SELECT a.id, a.ms, b.id, b.ms, c.id, c.ms, d.id, d.ms, b.ms - a.ms, c.ms - b.ms, d.ms - c.ms,
    (b.id IS NOT NULL)::BIGINT + (c.id IS NOT NULL)::BIGINT + (d.id IS NOT NULL)::BIGINT, b.price_micros, c.price_micros
FROM (FROM event WHERE stage = 0 AND is_first) a
LEFT JOIN (FROM event WHERE stage = 1 AND is_first) b ON b.parent_id = a.id
LEFT JOIN (FROM event WHERE stage = 2 AND is_first) c ON c.parent_id = b.id
LEFT JOIN (FROM event WHERE stage = 3 AND is_first) d ON d.parent_id = c.id
"""

_COUNTS = """
    count(*) FILTER (stage = 0), count(*) FILTER (stage = 1), count(*) FILTER (stage = 2), count(*) FILTER (stage = 3)
"""

WINDOWS = f"""
SELECT ms // {{width}} * {{width}} AS start, start + {{width}}, {_COUNTS}
FROM event WHERE {{only}} GROUP BY start
"""

WINDOWS_COHORT = f"""
SELECT a.ms // {{width}} * {{width}} AS start, start + {{width}}, {_COUNTS.replace("stage", "e.stage")}
FROM event e JOIN event a ON a.stage = 0 AND a.is_first AND a.id = e.request_id WHERE e.is_first GROUP BY start
"""

WINDOWS_FLINK = f"""
SELECT ms // {{width}} * {{width}} AS start, start + {{width}}, {_COUNTS}
FROM event WHERE topic_max_ms IS NULL OR (ms // {{width}} + 1) * {{width}} - 1 > topic_max_ms - {{delay}} GROUP BY start
"""
"""What Flink SQL keeps: a record is dropped once the watermark has reached the last millisecond of its window."""

_AT = "FROM ledger l JOIN record r ON r.stage = l.stage AND r.partition = l.partition AND r.place = l.place"

_EMITTED = """
WITH labelled AS (
    SELECT stage, partition, place, min(ordinal) AS ordinal, min(copy) AS copy,
        max((parameters ->> '$.after_ms')::BIGINT) AS after_ms,
        max((parameters ->> '$.by_ms')::BIGINT) FILTER (label = 'held') AS held_ms
    FROM ledger WHERE place IS NOT NULL GROUP BY ALL),
late AS (SELECT stage, ordinal, (parameters ->> '$.by_ms')::BIGINT AS late_ms FROM ledger WHERE label = 'late'),
known AS (
    SELECT r.n, r.sequence, r.stage, r.timestamp_ms, r.id, coalesce(l.ordinal, m.ordinal) AS ordinal, coalesce(l.copy, 0) AS copy,
        coalesce(after_ms, 0) AS after_ms, coalesce(held_ms, 0) AS held_ms
    FROM record r LEFT JOIN labelled l ON l.stage = r.stage AND l.partition = r.partition AND l.place = r.place
    LEFT JOIN named m ON m.stage = r.stage AND m.id = r.id),
emitted AS (
    SELECT k.*, timestamp_ms + CASE WHEN copy < 3 THEN coalesce(late_ms, 0) ELSE 0 END + after_ms + held_ms AS emit_ms,
        row(emit_ms, k.ordinal, k.stage, copy) AS turn, lag(turn) OVER (PARTITION BY sequence ORDER BY n) AS earlier
    FROM known k LEFT JOIN late ON late.stage = k.stage AND late.ordinal = k.ordinal)
"""
"""When each record was emitted, by its time, its auction and what the ledger says of it. A copy is as late as its first."""


def _unlabelled(where: str, *labels: str) -> str:
    """Records of a kind that the ledger does not know by any of these labels."""
    return f"""SELECT r.n, r.stage, r.partition, r.place, r.id FROM record r LEFT JOIN event e USING (n) WHERE {where} AND NOT EXISTS (
        FROM ledger l WHERE l.stage = r.stage AND l.partition = r.partition AND l.place = r.place AND l.label IN {labels + ("",)})"""


CLAIMS = {
    "a topic is its stage's": "FROM ledger WHERE at_home IS NOT TRUE",
    "a row with an index points to the record with its id and time": f"""
        SELECT l.*, r.id AS found, r.timestamp_ms, r.key {_AT.replace("JOIN record", "LEFT JOIN record")}
        WHERE l.place IS NOT NULL AND (r.n IS NULL OR r.timestamp_ms <> l.event_ms
            OR coalesce(r.id, CASE WHEN '{{key_by}}' = 'id' THEN r.key ELSE l.id END) <> l.id)""",
    "just what is dropped has no index": """
        SELECT l.* FROM ledger l WHERE (l.place IS NULL) <> EXISTS (
            FROM ledger d WHERE d.label = 'dropped' AND d.stage = l.stage AND d.id = l.id AND d.copy = l.copy)""",
    "what is dropped is not there": "SELECT l.* FROM ledger l JOIN record r ON r.stage = l.stage AND r.id = l.id WHERE l.label = 'dropped'",
    "a record and a label stand once": "SELECT stage, partition, place, label, id FROM ledger GROUP BY ALL HAVING count(*) > 1",
    "duplicates have the bytes of the first": f"""
        SELECT l.* {_AT} LEFT JOIN event f ON f.stage = r.stage AND f.id = r.id AND f.is_first
        WHERE l.label = 'duplicate' AND (f.n >= r.n OR f.value <> r.value OR f.partition <> r.partition OR f.n IS NULL)""",
    "conflicts have the id and time of the first, and other bytes": f"""
        SELECT l.* {_AT} LEFT JOIN event f ON f.stage = r.stage AND f.id = r.id AND f.is_first
        WHERE l.label = 'conflict' AND (f.n >= r.n OR f.value = r.value OR f.ms <> r.timestamp_ms OR f.n IS NULL)""",
    "malformed is no JSON": f"SELECT l.* {_AT} WHERE l.label = 'malformed' AND (r.encoded IS NULL OR r.doc IS NOT NULL)",
    "invalid is JSON and not well-formed": f"SELECT l.* {_AT} WHERE l.label = 'invalid' AND (r.doc IS NULL OR r.is_good)",
    "a tombstone has no value": f"SELECT l.* {_AT} WHERE l.label = 'tombstone' AND coalesce(r.value, r.encoded) IS NOT NULL",
    "an orphan has no parent": f"""SELECT l.* {_AT} LEFT JOIN event e USING (n) LEFT JOIN event p ON p.stage = e.stage - 1 AND p.id = e.parent_id
        WHERE l.label = 'orphan' AND (e.n IS NULL OR p.n IS NOT NULL)""",
    "on a boundary is as far from its parent as it says": f"""
        SELECT l.*, e.ms - p.ms {_AT} JOIN event e USING (n) JOIN event p ON p.stage = e.stage - 1 AND p.id = e.parent_id
        WHERE l.label = 'boundary' AND e.ms - p.ms
            IS DISTINCT FROM (l.parameters ->> '$.bound_ms')::BIGINT + (l.parameters ->> '$.side_ms')::BIGINT""",
    "the hot user is member 0": f"""
        SELECT l.*, e.user_id {_AT} JOIN event e USING (n) WHERE l.label = 'hot_user' AND e.user_id IS DISTINCT FROM '{{hot_user}}'""",
    "event times are the timestamps": "SELECT * FROM event WHERE ms <> timestamp_ms",
    "what is not well-formed has a label": _unlabelled("NOT r.is_good", "malformed", "invalid", "tombstone"),
    "what comes again has a label": _unlabelled("NOT e.is_first", "duplicate", "conflict"),
    "what has no parent has a label": _unlabelled(
        "e.stage > 0 AND e.is_first AND NOT EXISTS (FROM event p WHERE p.stage = e.stage - 1 AND p.id = e.parent_id)", "orphan"
    ),
    "a request that is not there was dropped": """
        SELECT m.* FROM named m WHERE m.stage = 0 AND NOT EXISTS (FROM event e WHERE e.stage = 0 AND e.id = m.id)
            AND NOT EXISTS (FROM ledger l WHERE l.stage = 0 AND l.id = m.id AND l.label = 'dropped')""",
    "a child further from its parent than unmoved ones has a label": """
        SELECT r.n, r.stage, r.id FROM event r JOIN event p ON p.stage = r.stage - 1 AND p.id = r.parent_id AND p.is_first
        WHERE r.is_first AND r.ms - p.ms > [80, 495, 10000][r.stage] AND NOT EXISTS (FROM ledger l
            WHERE l.stage = r.stage AND l.partition = r.partition AND l.place = r.place AND l.label = 'boundary')""",
    "records stand in the order of emit time, ordinal, stage and copy": f"{_EMITTED} FROM emitted WHERE ordinal IS NULL OR earlier >= turn",
    "records that were held are released at one instant": f"""{_EMITTED} SELECT stage, min(emit_ms), max(emit_ms), max(timestamp_ms)
        FROM emitted WHERE held_ms > 0 GROUP BY stage HAVING min(emit_ms) <> max(emit_ms) OR max(timestamp_ms) >= max(emit_ms)""",
}
"""What the ledger must hold, seen from outside, each with the query that finds what does not."""
