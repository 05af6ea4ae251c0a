// Prints the partition that Java's default partitioner gives to each key, one number a line:
//   java -cp "$KAFKA_LIBS/*" tests/kafka/Partitions.java COUNT < keys.hex
// One key a line, in hex; an empty line is the zero-length key.

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;

class Partitions {
    public static void main(String[] args) throws IOException {
        int count = Integer.parseInt(args[0]);
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        try (var out = new PrintWriter(new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.US_ASCII)))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                byte[] key = HexFormat.of().parseHex(line.strip());
                out.println(BuiltInPartitioner.partitionForKey(key, count));
            }
        }
    }
}
