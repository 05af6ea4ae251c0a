// How Flink's JSON format takes our times and prices: java -cp "$FLINK_LIBS/*" Formats.java FOLDER. See docs/guide/engines.md.

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

class Formats {
    static final String LINE = "{\"time\":\"2026-01-15T10:00:00.123Z\",\"price\":1.25,\"fine\":1.255}\n";

    public static void main(String[] args) throws Exception {
        Path folder = Files.createDirectories(Path.of(args[0]).toAbsolutePath());
        Files.writeString(folder.resolve("line.json"), LINE);
        var settings = EnvironmentSettings.newInstance().inBatchMode()
            .withConfiguration(Configuration.fromMap(Map.of("parallelism.default", "1", "table.local-time-zone", "UTC", "rest.bind-port", "0")));
        var engine = TableEnvironment.create(settings.build());
        for (String standard : new String[] {"SQL", "ISO-8601"}) {
            for (String type : new String[] {"TIMESTAMP(3)", "TIMESTAMP_LTZ(3)"}) {
                System.out.println(type + ", " + standard + ": " + read(engine, folder, "`time` " + type, standard));
            }
        }
        for (String type : new String[] {"INT", "DECIMAL(18,6)"}) {
            System.out.println("1.25 as " + type + ": " + read(engine, folder, "price " + type, "SQL"));
        }
        System.out.println("1.255 as DECIMAL(10,2): " + read(engine, folder, "fine DECIMAL(10,2)", "SQL"));
        System.out.println("at without backticks: " + parses(engine, "SELECT at FROM (VALUES (1)) AS q(`at`)")
            + ", with: " + parses(engine, "SELECT `at` FROM (VALUES (1)) AS q(`at`)"));
    }

    static String read(TableEnvironment engine, Path folder, String column, String standard) {
        engine.executeSql("DROP TEMPORARY TABLE IF EXISTS t");
        engine.executeSql("CREATE TEMPORARY TABLE t (" + column + ") WITH ('connector' = 'filesystem', 'path' = '" + folder
            + "', 'format' = 'json', 'json.ignore-parse-errors' = 'true', 'json.timestamp-format.standard' = '" + standard + "')");
        try (var rows = engine.executeSql("SELECT * FROM t").collect()) {
            return rows.hasNext() ? String.valueOf(rows.next().getField(0)) : "no row";
        } catch (Exception error) {
            return error.getClass().getSimpleName();
        }
    }

    static boolean parses(TableEnvironment engine, String query) {
        try {
            engine.explainSql(query);
            return true;
        } catch (RuntimeException refused) {
            return false;
        }
    }
}
