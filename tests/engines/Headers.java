// What a Kafka Connect sink is given for headers as `--headers` writes them, by the worker's default converter:
//   java -cp "$KAFKA_LIBS/*" Headers.java

import org.apache.kafka.connect.storage.SimpleHeaderConverter;
import org.apache.kafka.connect.storage.StringConverter;

class Headers {
    public static void main(String[] args) throws Exception {
        var text = new StringConverter();
        text.configure(java.util.Map.of("converter.type", "header"));
        try (var simple = new SimpleHeaderConverter()) {
            for (String value : new String[] {"294", "100000", "0", "request", "2026-01-15T10:00:00.000Z"}) {
                var bytes = value.getBytes(java.nio.charset.StandardCharsets.UTF_8);
                System.out.println(value + ": " + simple.toConnectHeader("t", "h", bytes).schema().type()
                    + ", with StringConverter " + text.toConnectHeader("t", "h", bytes).schema().type());
            }
        }
    }
}
