// Runs the Flink SQL of docs/guide/joins.md as it stands there, but for the broker's address: java -cp "$FLINK_LIBS/*" GuideSql.java FILE TABLE
// Of the statements in FILE, with `;` between, all but the last create tables; what the last selects is printed as TABLE's rows.

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

class GuideSql {
    public static void main(String[] args) throws Exception {
        var settings = Configuration.fromMap(Map.of(
            "parallelism.default", "1", "table.local-time-zone", "UTC", "rest.bind-port", "0"));
        var engine = StreamTableEnvironment.create(StreamExecutionEnvironment.getExecutionEnvironment(settings));
        String[] statements = Files.readString(Path.of(args[0])).strip().replaceAll(";$", "").split(";\\s*");
        for (int at = 0; at < statements.length - 1; at++) {
            engine.executeSql(statements[at]);
        }
        engine.executeSql("""
            CREATE TABLE %1$s (a STRING, b TIMESTAMP(3), c STRING, d TIMESTAMP(3))
            WITH ('connector' = 'print', 'print-identifier' = '%1$s')""".formatted(args[1]));
        // A table takes only one row time, so the two of a join become plain times on their way into it.
        engine.executeSql("INSERT INTO " + args[1] + " SELECT a, CAST(b AS TIMESTAMP(3)), c, CAST(d AS TIMESTAMP(3)) FROM ("
            + statements[statements.length - 1] + ") AS q(a, b, c, d)").await();
    }
}
