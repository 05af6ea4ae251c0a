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
            - timestamp_ms AS all_behind_ms
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

_PLAIN = """
WITH odd AS (SELECT DISTINCT stage, partition, place FROM ledger WHERE label NOT IN ('orphan', 'boundary', 'hot_user') AND place IS NOT NULL),
timed AS (SELECT r.n, r.sequence, r.stage, r.partition, r.place, r.timestamp_ms AS ms,
    CASE WHEN o.place IS NULL THEN r.timestamp_ms END AS plain_ms
    FROM record r LEFT JOIN odd o ON o.stage = r.stage AND o.partition = r.partition AND o.place = r.place),
around AS (SELECT *,
    coalesce(max(plain_ms) OVER (PARTITION BY sequence ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before_ms,
    coalesce(min(plain_ms) OVER (PARTITION BY sequence ORDER BY n ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING), 1e18::BIGINT)
        AS after_ms FROM timed)
"""
"""A record that no fault moves is emitted at its event time, so the plain ones around a record enclose its emit time."""

_LATE_MS = "regexp_extract(l.parameters, '(?:by|delay|late|lag)[a-z_]*\"?[=:]\"?(\\d+)', 1)"


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
    "on a boundary is within 1 ms of the bound": f"""
        SELECT l.*, e.ms - p.ms {_AT} JOIN event e USING (n) JOIN event p ON p.stage = e.stage - 1 AND p.id = e.parent_id
        WHERE l.label = 'boundary' AND abs(e.ms - p.ms - [100, 500, 10000][e.stage]) > 1
            AND abs(e.ms - p.ms - [{{request_response}}, {{response_impression}}, {{impression_click}}][e.stage]) > 1""",
    "the hot user is one": f"""SELECT array_agg(DISTINCT e.user_id) AS users {_AT} JOIN event e USING (n)
        WHERE l.label = 'hot_user' AND e.stage = 0 HAVING count(DISTINCT e.user_id) > 1""",
    "event times are the timestamps": "SELECT * FROM event WHERE ms <> timestamp_ms",
    "what is not well-formed has a label": _unlabelled("NOT r.is_good", "malformed", "invalid", "tombstone"),
    "what comes again has a label": _unlabelled("NOT e.is_first", "duplicate", "conflict"),
    "what has no parent has a label": _unlabelled(
        "e.stage > 0 AND e.is_first AND NOT EXISTS (FROM event p WHERE p.stage = e.stage - 1 AND p.id = e.parent_id)", "orphan"
    ),
    "records without a label stand in the order of their times": f"{_PLAIN} FROM around WHERE plain_ms < before_ms",
    "a late record stands where its time and its lateness put it": f"""{_PLAIN}
        SELECT l.*, before_ms, after_ms FROM around a JOIN ledger l ON l.stage = a.stage AND l.partition = a.partition AND l.place = a.place
        WHERE l.label = 'late' AND NOT EXISTS (
            FROM ledger h WHERE h.label IN ('held', 'duplicate', 'conflict') AND h.stage = l.stage AND h.partition = l.partition AND h.place = l.place)
        AND NOT coalesce(a.ms + nullif({_LATE_MS}, '')::BIGINT BETWEEN before_ms AND after_ms, false)""",
    "records held for one reason are released at one instant": f"""{_PLAIN}
        SELECT l.stage, min(l.event_ms), max(l.event_ms), max(before_ms), min(after_ms)
        FROM around a JOIN ledger l ON l.stage = a.stage AND l.partition = a.partition AND l.place = a.place
        WHERE l.label = 'held' GROUP BY l.stage, l.parameters
        HAVING max(before_ms) > min(after_ms) OR min(after_ms) < max(l.event_ms)""",
}
"""What the ledger must hold, seen from outside, each with the query that finds what does not."""
