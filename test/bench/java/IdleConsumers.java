import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Consumers that wait: IdleConsumers BOOTSTRAP TOPIC CONSUMERS GROUP_SIZE. Each subscribes, gets its share of
 * the topic's partitions and polls. Prints "ready" once every one of them has a partition, and goes on
 * until its standard input ends.
 */
public final class IdleConsumers {
  private static final int THREADS = 4;

  private IdleConsumers() {}

  public static void main(String[] args) throws Exception {
    int count = Integer.parseInt(args[2]);
    int groupSize = Integer.parseInt(args[3]);
    AtomicInteger assigned = new AtomicInteger();
    List<List<KafkaConsumer<byte[], byte[]>>> shares = new ArrayList<>();
    for (int thread = 0; thread < THREADS; thread++) shares.add(new ArrayList<>());
    for (int index = 0; index < count; index++) {
      Map<String, Object> settings = new HashMap<>();
      settings.put("bootstrap.servers", args[0]);
      settings.put("group.id", "idle-" + index / groupSize);
      settings.put("key.deserializer", ByteArrayDeserializer.class);
      settings.put("value.deserializer", ByteArrayDeserializer.class);
      KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings);
      consumer.subscribe(List.of(args[1]));
      shares.get(index % THREADS).add(consumer);
    }
    for (List<KafkaConsumer<byte[], byte[]>> share : shares) {
      Thread thread = new Thread(() -> poll(share, assigned, count));
      thread.setDaemon(true);
      thread.start();
    }
    while (System.in.read() >= 0) continue;
    System.exit(0);
  }

  /** A consumer that fails ends the process: fewer consumers would be another measurement. */
  private static void poll(
      List<KafkaConsumer<byte[], byte[]>> consumers, AtomicInteger assigned, int count) {
    Set<KafkaConsumer<byte[], byte[]>> counted = new HashSet<>();
    try {
      while (true) {
        for (KafkaConsumer<byte[], byte[]> consumer : consumers) {
          consumer.poll(Duration.ofMillis(5));
          if (consumer.assignment().isEmpty() || !counted.add(consumer)) continue;
          if (assigned.incrementAndGet() == count) System.out.println("ready");
        }
      }
    } catch (RuntimeException error) {
      error.printStackTrace();
      System.exit(1);
    }
  }
}
