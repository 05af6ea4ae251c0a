// Runs the answer key's joins and windows in Apache Flink SQL, over the topics of a Kafka, each to its end:
//   java -cp "$FLINK_LIBS/*" FlinkSql.java BOOTSTRAP DELAY_MS WINDOW_MS BOUNDS TOPICS TABLES
// BOUNDS (3) and TOPICS (4) are lists with commas in the order of the funnel, TABLES names of the answer key's tables.
// Prints each row that comes out, in any order: TABLE> KIND[FIELD, ...], the kind of the change (+I, -U, +U, -D) first.

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

class FlinkSql {
    static final String[] STAGES = {"request", "response", "impression", "click"};
    static final String[] IDS = {"id", "id", "impression_id", "click_id"};
    static final String[] PARENTS = {"", "ext.request_id", "response_id", "impression_id"};
    static final String[] MORE_COLUMNS = {"", "ext ROW<request_id STRING>,", "response_id STRING,", "impression_id STRING,"};

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        long delayMs = Long.parseLong(args[1]);
        long windowMs = Long.parseLong(args[2]);
        String[] bounds = args[3].split(",");
        String[] topics = args[4].split(",");
        String[] tables = args[5].split(",");

        var settings = Configuration.fromMap(Map.of(
            // One reader a topic: it sees a topic of one partition in its order, as the late profile wants.
            "parallelism.default", "1",
            "table.local-time-zone", "UTC",
            "rest.bind-port", "0"));
        var engine = StreamTableEnvironment.create(StreamExecutionEnvironment.getExecutionEnvironment(settings));
        for (int stage = 0; stage < 4; stage++) {
            engine.executeSql(source(stage, topics[stage], bootstrap, delayMs));
            engine.executeSql(good(stage));
            engine.executeSql(deduplicated(stage));
        }
        // One job for all tables. Its sinks print: to collect rows from a cluster in this process is a race with its end.
        var job = engine.createStatementSet();
        for (String table : tables) {
            engine.executeSql(sink(table));
            job.addInsertSql("INSERT INTO " + table + " " + query(table, bounds, windowMs));
        }
        System.err.println("Apache Flink " + EnvironmentInformation.getVersion() + ", Java " + Runtime.version());
        job.execute().await();
    }

    static String sink(String table) {
        String columns = table.startsWith("join")
            ? "left_id STRING, left_time TIMESTAMP(3), right_id STRING, right_time TIMESTAMP(3)"
            : "window_start TIMESTAMP(3), window_end TIMESTAMP(3), stage STRING, events BIGINT";
        return "CREATE TABLE %s (%s) WITH ('connector' = 'print', 'print-identifier' = '%s')".formatted(table, columns, table);
    }

    // The topic as a user would declare it. What can go wrong here, silently:
    // - A value that is no JSON ends the job, unless json.ignore-parse-errors; then its row is left out. A tombstone is left out, too.
    //   A field of another type than declared becomes NULL under the same option.
    // - Watermarks are by default emitted every 200 ms of the wall clock, so what is late depends on the machine. With `on-event`
    //   each record moves the watermark, and the same topic gives the same late records each time.
    // - A row whose time is NULL moves no watermark as long as the watermark is made in the source, as here; outside of it the job ends.
    //   `rt` is NULL for all that is not well-formed, so that such rows do not move it either.
    // - The watermark is kept for each partition and merged by minimum. In a bounded read, a partition at its end stops counting (an
    //   empty one at once). In an endless read an idle partition holds everything back: set table.exec.source.idle-timeout.
    // - `latest-offset` is resolved when the job starts: what is written later is not read, so the writer must have ended.
    static String source(int stage, String topic, String bootstrap, long delayMs) {
        String id = IDS[stage];
        String more = stage == 3 ? "impression_id STRING," : MORE_COLUMNS[stage];
        return """
            CREATE TABLE %s_topic (
                %s STRING,
                %s
                event_timestamp TIMESTAMP_LTZ(3),
                rt AS CASE WHEN %s IS NOT NULL THEN event_timestamp END,
                arrived AS PROCTIME(),
                WATERMARK FOR rt AS rt - %s
            ) WITH (
                'connector' = 'kafka',
                'topic' = '%s',
                'properties.bootstrap.servers' = '%s',
                'scan.startup.mode' = 'earliest-offset',
                'scan.bounded.mode' = 'latest-offset',
                'scan.watermark.emit.strategy' = 'on-event',
                'format' = 'json',
                'json.ignore-parse-errors' = 'true',
                'json.timestamp-format.standard' = 'ISO-8601'
            )""".formatted(STAGES[stage], id, more, id, interval(delayMs), topic, bootstrap);
    }

    // What a reader can use: malformed values and tombstones are gone already, documents without id or time go here.
    static String good(int stage) {
        String parent = stage == 0 ? "CAST(NULL AS STRING)" : PARENTS[stage];
        return "CREATE VIEW %s AS SELECT %s AS own_id, %s AS parent_id, rt, arrived FROM %s_topic WHERE rt IS NOT NULL"
            .formatted(STAGES[stage] + "_raw", IDS[stage], parent, STAGES[stage]);
    }

    // The first of each id. By arrival, not by event time: then rows are only ever added, and the row time stays one.
    static String deduplicated(int stage) {
        return """
            CREATE VIEW %1$s_dedup AS SELECT own_id, parent_id, rt FROM (
                SELECT *, ROW_NUMBER() OVER (PARTITION BY own_id ORDER BY arrived) AS place FROM %1$s_raw) WHERE place = 1
            """.formatted(STAGES[stage]);
    }

    static String query(String table, String[] bounds, long windowMs) {
        String[] words = table.split("_");
        String form = words[words.length - 1].equals("dedup") ? "dedup" : "raw";
        return words[0].equals("join") ? join(words, form, bounds) : windows(form, windowMs);
    }

    // join_LEFT_RIGHT_inner_raw and so on. An interval join, both bounds inclusive. It drops no late row, but forgets a row some time
    // after the watermark has passed what it could join; a left row is given out alone when it is forgotten, so rows are only added.
    static String join(String[] words, String form, String[] bounds) {
        String left = words[1];
        String right = words[2];
        int edge = List.of(STAGES).indexOf(left);
        return """
            SELECT l.own_id, CAST(l.rt AS TIMESTAMP(3)), r.own_id, CAST(r.rt AS TIMESTAMP(3))
            FROM %1$s_%3$s l %4$s JOIN %2$s_%3$s r
            ON r.parent_id = l.own_id AND r.rt BETWEEN l.rt AND l.rt + %5$s
            """.formatted(left, right, form, words[3].toUpperCase(), interval(Long.parseLong(bounds[edge])));
    }

    // A window is gone once the watermark has reached its last millisecond; what comes for it after that is dropped without a word.
    static String windows(String form, long windowMs) {
        var counts = new ArrayList<String>();
        for (String stage : STAGES) {
            counts.add("""
                SELECT window_start, window_end, '%1$s' AS stage, COUNT(*) AS events
                FROM TABLE(TUMBLE(TABLE %1$s_%2$s, DESCRIPTOR(rt), %3$s)) GROUP BY window_start, window_end
                """.formatted(stage, form, interval(windowMs)));
        }
        return String.join("UNION ALL\n", counts);
    }

    // Flink takes at most three digits of seconds, so the longer form.
    static String interval(long ms) {
        var span = Duration.ofMillis(ms);
        return "INTERVAL '%d %02d:%02d:%02d.%03d' DAY TO SECOND(3)".formatted(
            span.toDays(), span.toHoursPart(), span.toMinutesPart(), span.toSecondsPart(), span.toMillisPart());
    }
}
