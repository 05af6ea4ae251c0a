// Runs the answer key's three inner joins in Kafka Streams, over the topics of a Kafka, until all of them is joined:
//   java -cp "$STREAMS_LIBS/*" Streams.java BOOTSTRAP BOUNDS TOPICS STATE-FOLDER
// BOUNDS (3) and TOPICS (4) are lists with commas in the order of the funnel.
// Prints each row, in any order: TABLE> +I[FIELD, ...].
// Only inner joins: a left row without a match comes out when later records push the stream's time past its window and grace, so after
// the last record some never do.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;

class Streams {
    static final String[] STAGES = {"request", "response", "impression", "click"};
    static final String[] IDS = {"/id", "/id", "/impression_id", "/click_id"};
    static final String[] PARENTS = {null, "/ext/request_id", "/response_id", "/impression_id"};
    static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        var settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "answer-key");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, args[3]);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        settings.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG, BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers.class);
        settings.put("auto.offset.reset", "earliest");
        var builder = new StreamsBuilder();
        joins(builder, args[1].split(","), args[2].split(","));
        System.err.println("Kafka Streams " + AppInfoParser.getVersion() + ", Java " + Runtime.version());
        try (var streams = new KafkaStreams(builder.build(), settings); var admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            streams.start();
            while (!isAllJoined(admin, Set.of(args[2].split(",")))) {
                if (streams.state() == KafkaStreams.State.ERROR) {
                    System.exit(1);
                }
                Thread.sleep(500);
            }
        }
    }

    static void joins(StreamsBuilder builder, String[] bounds, String[] topics) {
        for (int edge = 0; edge < 3; edge++) {
            String table = "join_" + STAGES[edge] + "_" + STAGES[edge + 1] + "_inner_raw";
            // Both bounds are inclusive. The grace is as long as nothing can be late: stream time is the largest that a task has seen in
            // either topic, so it runs ahead of a topic that is read behind the other, by no bound that a watermark's delay would be.
            var window = JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(Long.parseLong(bounds[edge])), Duration.ofDays(1))
                .before(Duration.ZERO);
            events(builder, topics[edge], edge, IDS[edge], table + "-left")
                .join(events(builder, topics[edge + 1], edge + 1, PARENTS[edge + 1], table + "-right"),
                    (left, right) -> left + ", " + right, window, StreamJoined.with(Serdes.String(), Serdes.String(), Serdes.String()))
                .foreach((key, row) -> System.out.println(table + "> +I[" + row + "]"));
        }
    }

    // The well-formed events of a topic, as "ID, TIME", by the key of a join. Tombstones come as null, what is no JSON must not end us.
    static KStream<String, String> events(StreamsBuilder builder, String topic, int stage, String key, String name) {
        return builder.stream(topic, Consumed.with(Serdes.String(), Serdes.ByteArray()).withName(name + "-source"))
            .mapValues(value -> wellFormed(value, stage))
            .filter((ignored, document) -> document != null)
            .map((ignored, document) -> new KeyValue<>(
                document.at(key).textValue(),
                document.at(IDS[stage]).textValue() + ", " + Instant.parse(document.get("event_timestamp").textValue()).toEpochMilli()))
            .repartition(Repartitioned.with(Serdes.String(), Serdes.String()).withName(name).withNumberOfPartitions(4));
    }

    static JsonNode wellFormed(byte[] value, int stage) {
        try {
            JsonNode document = value == null ? null : JSON.readTree(value);
            boolean isGood = document != null && document.at(IDS[stage]).isTextual() && document.path("event_timestamp").isTextual();
            return isGood ? document : null;
        } catch (IOException malformed) {
            return null;
        }
    }

    // Whether the group has committed the end of every topic: a commit follows what it led to, so the topics between are read in one go.
    static boolean isAllJoined(Admin admin, Set<String> topics) throws Exception {
        var committed = admin.listConsumerGroupOffsets("answer-key").partitionsToOffsetAndMetadata().get();
        var all = new HashSet<>(topics);
        all.addAll(admin.listTopics().names().get().stream().filter(name -> name.startsWith("answer-key-")).toList());
        var ends = new HashMap<TopicPartition, OffsetSpec>();
        for (var topic : admin.describeTopics(all).allTopicNames().get().values()) {
            topic.partitions().forEach(at -> ends.put(new TopicPartition(topic.name(), at.partition()), OffsetSpec.latest()));
        }
        // Each consumed topic and its end; the changelogs of the stores are only written.
        for (var end : admin.listOffsets(ends).all().get().entrySet()) {
            var offset = committed.get(end.getKey());
            long done = offset == null ? 0 : offset.offset();
            if (!end.getKey().topic().endsWith("-changelog") && done != end.getValue().offset()) {
                return false;
            }
        }
        return true;
    }
}
