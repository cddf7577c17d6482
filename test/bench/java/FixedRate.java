import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.HdrHistogram.Histogram;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * End-to-end latency at a fixed rate: FixedRate BOOTSTRAP TOPIC PARTITIONS BYTES RATE WARM_UP_S MEASURED_S
 * LINGER_MS.
 *
 * <p>Every record carries the time at which the schedule wanted it sent, and its latency counts from there
 * to its arrival at a consumer in the same process. A send that is late, because the broker or the client
 * held up the one before, so shows as latency of the late record (no coordinated omission). A rate of 0
 * sends as fast as it goes and says how much arrived a second.
 *
 * <p>Prints one line of JSON; exits with 1 when a record was lost or refused.
 */
public final class FixedRate {
  private static final long NOTHING_ARRIVES_NANOS = Duration.ofSeconds(30).toNanos();
  private static final long LATENCY_NANOS_MAX = Duration.ofMinutes(5).toNanos();

  private final String bootstrap;
  private final String topic;
  private final int partitions;
  private final int recordBytes;
  private final long rate;
  private final long warmUpNanos;
  private final long measuredNanos;
  private final String lingerMs;
  private final Histogram latencies = new Histogram(LATENCY_NANOS_MAX, 3);
  /** Of the answers; written by the producer's own thread only. */
  private final Histogram answers = new Histogram(LATENCY_NANOS_MAX, 3);
  private final AtomicLong arrived = new AtomicLong();
  private final AtomicLong arrivedMeasured = new AtomicLong();
  private final AtomicBoolean ended = new AtomicBoolean();
  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private volatile long measureFrom;
  private volatile long measureUntil;

  private FixedRate(String[] args) {
    bootstrap = args[0];
    topic = args[1];
    partitions = Integer.parseInt(args[2]);
    recordBytes = Integer.parseInt(args[3]);
    rate = Long.parseLong(args[4]);
    warmUpNanos = Duration.ofSeconds(Long.parseLong(args[5])).toNanos();
    measuredNanos = Duration.ofSeconds(Long.parseLong(args[6])).toNanos();
    lingerMs = args[7];
  }

  public static void main(String[] args) throws Exception {
    new FixedRate(args).run();
  }

  private void run() throws Exception {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("key.deserializer", ByteArrayDeserializer.class);
    settings.put("value.deserializer", ByteArrayDeserializer.class);
    settings.put("auto.offset.reset", "latest");
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
      List<TopicPartition> all =
          IntStream.range(0, partitions).mapToObj(index -> new TopicPartition(topic, index)).toList();
      consumer.assign(all);
      consumer.seekToEnd(all);
      for (TopicPartition partition : all) consumer.position(partition);
      Thread reader = new Thread(() -> read(consumer), "reader");
      reader.start();
      long sent = 0;
      try {
        sent = send();
        waitForAll(sent);
      } finally {
        ended.set(true);
        reader.join();
      }
      report(sent);
    }
  }

  private long send() {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("key.serializer", ByteArraySerializer.class);
    settings.put("value.serializer", ByteArraySerializer.class);
    settings.put("acks", "all");
    settings.put("linger.ms", lingerMs);
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings)) {
      producer.partitionsFor(topic);
      long begin = System.nanoTime();
      measureFrom = begin + warmUpNanos;
      measureUntil = measureFrom + measuredNanos;
      for (long sent = 0; ; sent++) {
        long due = rate == 0 ? System.nanoTime() : begin + dueAfter(sent);
        if (due >= measureUntil || failure.get() != null) return sent;
        for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
          LockSupport.parkNanos(left);
        }
        producer.send(
            new ProducerRecord<>(topic, (int) (sent % partitions), null, valueDueAt(due)),
            (metadata, error) -> {
              if (error != null) failure.compareAndSet(null, error);
              else if (due >= measureFrom) answers.recordValue(System.nanoTime() - due);
            });
      }
    }
  }

  /**
   * The schedule, in nanoseconds from its begin: a rate that grows evenly over the first half of the warm-up,
   * and is the full rate from there on. Compilers that are still at work would otherwise leave a backlog.
   */
  private long dueAfter(long sent) {
    double ramp = warmUpNanos / 2e9;
    double rampRecords = rate * ramp / 2;
    double seconds =
        sent < rampRecords ? Math.sqrt(2 * sent * ramp / rate) : ramp + (sent - rampRecords) / rate;
    return (long) (seconds * 1e9);
  }

  private byte[] valueDueAt(long due) {
    byte[] value = new byte[recordBytes];
    Arrays.fill(value, (byte) 'x');
    for (int index = 0; index < 8; index++) value[index] = (byte) (due >>> (56 - 8 * index));
    return value;
  }

  private static long dueOf(byte[] value) {
    long due = 0;
    for (int index = 0; index < 8; index++) due = due << 8 | value[index] & 0xff;
    return due;
  }

  private void read(KafkaConsumer<byte[], byte[]> consumer) {
    try {
      while (!ended.get()) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
          long now = System.nanoTime();
          long due = dueOf(record.value());
          arrived.incrementAndGet();
          if (due >= measureFrom) latencies.recordValue(now - due);
          if (now >= measureFrom && now < measureUntil) arrivedMeasured.incrementAndGet();
        }
      }
    } catch (RuntimeException error) {
      failure.compareAndSet(null, error);
    }
  }

  private void waitForAll(long sent) throws InterruptedException {
    long seen = arrived.get();
    long since = System.nanoTime();
    while (arrived.get() < sent && failure.get() == null) {
      Thread.sleep(20);
      if (arrived.get() != seen) {
        seen = arrived.get();
        since = System.nanoTime();
      }
      if (System.nanoTime() - since > NOTHING_ARRIVES_NANOS) return;
    }
  }

  private void report(long sent) {
    if (failure.get() != null) failure.get().printStackTrace();
    if (arrived.get() != sent) System.err.printf("%d sent, %d arrived%n", sent, arrived.get());
    System.out.printf(
        "{\"sent\":%d,\"arrived\":%d,\"arrivedPerSecond\":%d,\"p50\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f,\"answeredP99\":%.3f}%n",
        sent,
        arrived.get(),
        (long) (arrivedMeasured.get() / (measuredNanos / 1e9)),
        millisAt(50),
        millisAt(99),
        millisAt(99.9),
        millisAt(100),
        answers.getValueAtPercentile(99) / 1e6);
    System.exit(failure.get() == null && arrived.get() == sent ? 0 : 1);
  }

  private double millisAt(double percentile) {
    return latencies.getValueAtPercentile(percentile) / 1e6;
  }
}
