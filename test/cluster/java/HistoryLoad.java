import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What test/durability/load.py does, with Kafka's own client: the same arguments, the same lines.
 *
 * <pre>HistoryLoad BOOTSTRAP TOPIC PARTITIONS GROUP RATE LINGER_MS</pre>
 */
public final class HistoryLoad {
  private static final int VALUE_BYTES = 100;
  private static final Duration LONG = Duration.ofSeconds(60);
  private static final PrintStream OUT =
      new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false);

  private final String bootstrap;
  private final String topic;
  private final int partitions;
  private final String group;
  private final int rate;
  private final String lingerMs;
  private volatile boolean stopping;

  private HistoryLoad(String[] args) {
    bootstrap = args[0];
    topic = args[1];
    partitions = Integer.parseInt(args[2]);
    group = args[3];
    rate = Integer.parseInt(args[4]);
    lingerMs = args[5];
  }

  public static void main(String[] args) throws Exception {
    new HistoryLoad(args).run();
  }

  private void run() throws Exception {
    try (Admin admin = Admin.create(patient())) {
      admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
    }
    Thread producing = new Thread(() -> guarded(this::produce));
    Thread consuming = new Thread(() -> guarded(this::consume));
    producing.start();
    consuming.start();
    awaitEndOfInput();
    stopping = true;
    producing.join();
    consuming.join();
    OUT.flush();
  }

  private static void awaitEndOfInput() throws IOException {
    while (System.in.read() >= 0) {}
  }

  private interface Work {
    void run() throws Exception;
  }

  private static void guarded(Work work) {
    try {
      work.run();
    } catch (Exception failure) {
      tell("X " + failure);
    }
  }

  private static synchronized void tell(String line) {
    OUT.print(line + "\n");
    OUT.flush();
  }

  /** A broker that is paused is given up after five seconds; one that is gone is not waited for. */
  private Properties patient() {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("reconnect.backoff.ms", "20");
    settings.put("reconnect.backoff.max.ms", "100");
    settings.put("retry.backoff.ms", "20");
    settings.put("retry.backoff.max.ms", "200");
    settings.put("request.timeout.ms", "5000");
    settings.put("default.api.timeout.ms", "20000");
    return settings;
  }

  private void produce() throws InterruptedException {
    Properties settings = patient();
    settings.put("enable.idempotence", "true");
    settings.put("acks", "all");
    settings.put("linger.ms", lingerMs);
    settings.put("delivery.timeout.ms", "120000");
    ByteArraySerializer bytes = new ByteArraySerializer();
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, bytes, bytes)) {
      long started = System.nanoTime();
      long value = 0;
      while (!stopping) {
        long due = (System.nanoTime() - started) * rate / 1_000_000_000L;
        for (; value < due && !stopping; value++) {
          send(producer, value);
        }
        Thread.sleep(5);
      }
      producer.flush();
    }
  }

  private void send(KafkaProducer<byte[], byte[]> producer, long value) {
    byte[] content = ByteBuffer.allocate(VALUE_BYTES).putLong(value).array();
    int partition = (int) (value % partitions);
    producer.send(
        new ProducerRecord<>(topic, partition, null, content),
        (metadata, failure) -> {
          if (failure != null) {
            tell("E " + value + " " + failure.getClass().getSimpleName());
          } else {
            tell("A " + metadata.partition() + " " + metadata.offset() + " " + value);
          }
        });
  }

  private void consume() {
    Properties settings = patient();
    settings.put("group.id", group);
    settings.put("enable.auto.commit", "false");
    settings.put("auto.offset.reset", "earliest");
    settings.put("session.timeout.ms", "10000");
    ByteArrayDeserializer bytes = new ByteArrayDeserializer();
    Set<TopicPartition> all = new HashSet<>();
    for (int partition = 0; partition < partitions; partition++) {
      all.add(new TopicPartition(topic, partition));
    }
    Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
    KafkaConsumer<byte[], byte[]> member = new KafkaConsumer<>(settings, bytes, bytes);
    member.subscribe(List.of(topic));
    Set<TopicPartition> asked = all;
    while (!stopping) {
      for (ConsumerRecord<byte[], byte[]> record : member.poll(Duration.ofMillis(100))) {
        TopicPartition at = new TopicPartition(topic, record.partition());
        positions.put(at, new OffsetAndMetadata(record.offset() + 1));
        long value = ByteBuffer.wrap(record.value()).getLong();
        tell("P " + record.partition() + " " + record.offset() + " " + value);
      }
      commit(member, positions);
      if (!ask(member, asked)) {
        // The client would take the late answer to this question for the one to the next, if that
        // asked for the same partitions: what was committed meanwhile would be missing in it.
        asked = asked == all ? allButOne(all) : all;
      }
    }
    member.close(LONG);
  }

  private static void commit(
      KafkaConsumer<byte[], byte[]> member, Map<TopicPartition, OffsetAndMetadata> positions) {
    if (positions.isEmpty()) {
      return;
    }
    try {
      member.commitSync(positions);
      positions.forEach((at, position) -> tell("C " + at.partition() + " " + position.offset()));
    } catch (CommitFailedException | RetriableException away) {
      // Whether it was written is not known; the next round commits what it has by then.
    }
  }

  private static Set<TopicPartition> allButOne(Set<TopicPartition> all) {
    Set<TopicPartition> some = new HashSet<>(all);
    some.remove(all.iterator().next());
    return some;
  }

  /** False: the coordinator is away; the next round asks again. */
  private static boolean ask(
      KafkaConsumer<byte[], byte[]> member, Set<TopicPartition> partitions) {
    try {
      member
          .committed(partitions, Duration.ofSeconds(2))
          .forEach(
              (at, found) -> {
                if (found != null) {
                  tell("F " + at.partition() + " " + found.offset());
                }
              });
      return true;
    } catch (TimeoutException away) {
      return false;
    }
  }
}
