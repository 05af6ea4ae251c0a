// What Kafka Streams does with left rows that have no match, and with topics of unequal partition counts; see docs/guide/engines.md:
//   java -cp "$STREAMS_LIBS/*" Joins.java BOOTSTRAP STATE-FOLDER
// Needs no generator: 1,000 left records, 10 ms apart, every second of which has a right record of the same key 5 ms after it.

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;

class Joins {
    static final int LEFT = 1_000;
    static final long BEGIN_MS = 1_767_225_600_000L;
    // Without a grace some matches are lost where one topic is read ahead of the other: stream time is the largest of both.
    static final JoinWindows WINDOW = JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(100), Duration.ofDays(1)).before(Duration.ZERO);

    public static void main(String[] args) throws Exception {
        try (var admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            for (var topic : Map.of("left", 12, "right", 12, "right-of-6", 6).entrySet()) {
                admin.createTopics(List.of(new NewTopic(topic.getKey(), Optional.of(topic.getValue()), Optional.empty())
                    .configs(Map.of("retention.ms", "-1")))).all().get();
            }
            write(args[0]);
            var matched = new AtomicInteger();
            var alone = new AtomicInteger();
            play(args, admin, "left-join", (left, right) -> left.leftJoin(right, (l, r) -> r == null ? alone.incrementAndGet()
                : matched.incrementAndGet(), WINDOW, StreamJoined.with(Serdes.String(), Serdes.String(), Serdes.String())), "right");
            System.out.println("left join, 12 and 12 partitions: " + matched + " of 500 matched, " + alone + " of 500 came alone");
            var uneven = new AtomicInteger();
            var state = play(args, admin, "uneven", (left, right) -> left.join(right, (l, r) -> uneven.incrementAndGet(),
                WINDOW, StreamJoined.with(Serdes.String(), Serdes.String(), Serdes.String())), "right-of-6");
            System.out.println("join, 12 and 6 partitions, " + state + ": "
                + (uneven.get() < 500 ? "fewer than" : "all") + " 500 matched");
            System.err.println(uneven + " matched over unequal counts");
        }
    }

    static void write(String bootstrap) {
        try (var producer = new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap), new StringSerializer(), new StringSerializer())) {
            for (int n = 0; n < LEFT; n++) {
                producer.send(new ProducerRecord<>("left", null, BEGIN_MS + 10 * n, "key-" + n, "left"));
                if (n % 2 == 0) {
                    producer.send(new ProducerRecord<>("right", null, BEGIN_MS + 10 * n + 5, "key-" + n, "right"));
                    producer.send(new ProducerRecord<>("right-of-6", null, BEGIN_MS + 10 * n + 5, "key-" + n, "right"));
                }
            }
        }
    }

    /** Runs a join until it has committed the ends of its two topics, and says in which state it was then. */
    static KafkaStreams.State play(String[] args, Admin admin, String name,
            BiConsumer<KStream<String, String>, KStream<String, String>> join, String right) throws Exception {
        var settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, name);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, Path.of(args[1], name).toString());
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        settings.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG, BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers.class);
        settings.put("auto.offset.reset", "earliest");
        var builder = new StreamsBuilder();
        var consumed = Consumed.with(Serdes.String(), Serdes.String());
        join.accept(builder.stream("left", consumed), builder.stream(right, consumed));
        try (var streams = new KafkaStreams(builder.build(), settings)) {
            streams.start();
            while (streams.state() != KafkaStreams.State.ERROR && !isRead(admin, name, List.of("left", right))) {
                Thread.sleep(200);
            }
            return streams.state();
        }
    }

    static boolean isRead(Admin admin, String group, List<String> topics) throws Exception {
        Map<TopicPartition, Long> done = new java.util.HashMap<>();
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((at, offset) -> done.put(at, offset.offset()));
        var ends = new java.util.HashMap<TopicPartition, OffsetSpec>();
        for (var topic : admin.describeTopics(topics).allTopicNames().get().values()) {
            topic.partitions().forEach(at -> ends.put(new TopicPartition(topic.name(), at.partition()), OffsetSpec.latest()));
        }
        return admin.listOffsets(ends).all().get().entrySet().stream()
            .allMatch(end -> end.getValue().offset() == done.getOrDefault(end.getKey(), 0L));
    }
}
