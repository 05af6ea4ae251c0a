#!/usr/bin/env bash
# A broker of Kafka 4.3.1 answers an idempotent batch that it has stored already (sent again by the same producer id, epoch and sequence, as a
# client does whose first answer was lost) with the batch's largest timestamp as log_append_time. The topic has message.timestamp.type=CreateTime,
# for which the protocol says -1 (ProduceResponse.json: "If CreateTime is used for the topic, the timestamp will be -1"), and -1 is what the first
# answer has. Offsets are right, and the stored records keep their own times; but a client takes any other value than -1 for the time that the
# broker gave, so a delivery report tells of LogAppendTime and, for all records but the batch's latest, of a wrong time.
# Needs Java 17 and Maven. Fails if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
broker=
trap '[[ -z $broker ]] || { kill "$broker" && wait "$broker"; } || true; rm -rf "$folder"' EXIT
cd "$folder"

cat >pom.xml <<'END'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId>
  <artifactId>broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.3.1</version></dependency>
  </dependencies>
</project>
END
mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies -DincludeScope=runtime -DoutputDirectory=libs >&2

port=$((20000 + RANDOM % 12000))
cat >server.properties <<END
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
log.dirs=$folder/log
offsets.topic.replication.factor=1
END
java -cp 'libs/*' kafka.tools.StorageTool format --standalone -t AAAAAAAAAAAAAAAAAAAAAA -c server.properties >broker.log 2>&1
java -Xmx512m -cp 'libs/*' kafka.Kafka server.properties >>broker.log 2>&1 &
broker=$!

cat >SentAgain.java <<'END'
import java.io.*;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.requests.*;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.utils.AppInfoParser;

public class SentAgain {
    static int correlation = 0;

    /** One request and its answer. */
    static AbstractResponse ask(Socket socket, ApiKeys api, AbstractRequest request) throws IOException {
        RequestHeader header = new RequestHeader(api, request.version(), "finding", correlation++);
        ByteBuffer bytes = request.serializeWithHeader(header);
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        out.writeInt(bytes.remaining());
        out.write(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
        out.flush();
        DataInputStream in = new DataInputStream(socket.getInputStream());
        byte[] answer = new byte[in.readInt()];
        in.readFully(answer);
        return AbstractResponse.parseResponse(ByteBuffer.wrap(answer), header);
    }

    static void produce(String what, Socket socket, long producerId, short epoch) throws IOException {
        MemoryRecords batch = MemoryRecords.withIdempotentRecords(Compression.NONE, producerId, epoch, 0,
            new SimpleRecord(1767225601000L, "first".getBytes()), new SimpleRecord(1767225602000L, "second".getBytes()));
        var data = new ProduceRequestData().setAcks((short) -1).setTimeoutMs(10_000);
        data.topicData().add(new ProduceRequestData.TopicProduceData().setName("created").setPartitionData(
            List.of(new ProduceRequestData.PartitionProduceData().setIndex(0).setRecords(batch))));
        // Version 12 names topics, later ones have their ids.
        var response = (ProduceResponse) ask(socket, ApiKeys.PRODUCE, new ProduceRequest(data, (short) 12));
        var partition = response.data().responses().iterator().next().partitionResponses().get(0);
        System.out.printf("%s: error %d, base_offset %d, log_append_time %d%n",
            what, partition.errorCode(), partition.baseOffset(), partition.logAppendTimeMs());
    }

    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        Map<String, Object> config = Map.of("bootstrap.servers", "127.0.0.1:" + port, "group.id", "finding");
        System.out.println("kafka-clients " + AppInfoParser.getVersion());
        try (Admin admin = Admin.create(config)) {
            var topic = new NewTopic("created", 1, (short) 1).configs(Map.of("message.timestamp.type", "CreateTime"));
            admin.createTopics(List.of(topic)).all().get();
        }
        try (Socket one = new Socket("127.0.0.1", port); Socket other = new Socket("127.0.0.1", port)) {
            InitProducerIdResponseData id;
            do { // The coordinator may still be starting.
                var request = new InitProducerIdRequestData().setTransactionalId(null).setTransactionTimeoutMs(60_000);
                id = ((InitProducerIdResponse) ask(one, ApiKeys.INIT_PRODUCER_ID, new InitProducerIdRequest.Builder(request).build((short) 4))).data();
                if (id.errorCode() != 0) Thread.sleep(100);
            } while (id.errorCode() != 0);
            produce("first", one, id.producerId(), id.producerEpoch());
            produce("again, same connection", one, id.producerId(), id.producerEpoch());
            produce("again, other connection", other, id.producerId(), id.producerEpoch());
        }
        try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
            var partition = new TopicPartition("created", 0);
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            while (consumer.position(partition) < end)
                for (var record : consumer.poll(Duration.ofSeconds(1)))
                    System.out.printf("stored: offset %d, %s %d, %s%n", record.offset(), record.timestampType(), record.timestamp(), record.value());
        }
    }
}
END
java -cp 'libs/*' SentAgain.java "$port" 2>errors | tee seen || { cat errors broker.log >&2 && exit 1; }
diff - seen <<'EXPECTED'
kafka-clients 4.3.1
first: error 0, base_offset 0, log_append_time -1
again, same connection: error 0, base_offset 0, log_append_time 1767225602000
again, other connection: error 0, base_offset 0, log_append_time 1767225602000
stored: offset 0, CreateTime 1767225601000, first
stored: offset 1, CreateTime 1767225602000, second
EXPECTED
