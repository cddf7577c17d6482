package millrace.golden;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;

/** Writes the golden batches, one file each, to the directory that is its argument. */
public final class Generate {
  private static final long BASE_OFFSET = 5_000_000_000L;
  private static final long PRODUCER_ID = 4_294_967_301L;
  private static final short PRODUCER_EPOCH = 7;
  private static final int LEADER_EPOCH = 11;
  private static final long APPEND_TIME = 1_700_000_123_456L;

  private final Path directory;

  private Generate(Path directory) {
    this.directory = directory;
  }

  public static void main(String[] arguments) throws IOException {
    Path directory = Path.of(arguments[0]);
    Files.createDirectories(directory);
    Generate generate = new Generate(directory);
    generate.codecs();
    generate.producers();
    generate.markers();
  }

  private void codecs() throws IOException {
    for (CompressionType type : CompressionType.values()) {
      Compression compression = Compression.of(type).build();
      write("mixed-" + type.name, plain(compression, Cases.mixed()));
      if (type == CompressionType.NONE) continue;
      write("repetitive-" + type.name, plain(compression, Cases.repetitive()));
    }
    write("noise-lz4", plain(Compression.lz4().build(), Cases.noise()));
    write("noise-snappy", plain(Compression.snappy().build(), Cases.noise()));
  }

  private static MemoryRecords plain(Compression compression, List<SimpleRecord> records) {
    SimpleRecord[] array = records.toArray(new SimpleRecord[0]);
    return MemoryRecords.withRecords(BASE_OFFSET, compression, LEADER_EPOCH, array);
  }

  private void producers() throws IOException {
    SimpleRecord[] records = Cases.mixed().toArray(new SimpleRecord[0]);
    write(
        "idempotent",
        MemoryRecords.withIdempotentRecords(
            BASE_OFFSET, Compression.NONE, PRODUCER_ID, PRODUCER_EPOCH, 2_147_483_645,
            LEADER_EPOCH, records));
    write(
        "transactional",
        MemoryRecords.withTransactionalRecords(
            BASE_OFFSET, Compression.zstd().build(), PRODUCER_ID, PRODUCER_EPOCH, 42,
            LEADER_EPOCH, records));
    MemoryRecords appended = MemoryRecords.withRecords(
        BASE_OFFSET, Compression.NONE, LEADER_EPOCH, records);
    appended.batches().iterator().next()
        .setMaxTimestamp(TimestampType.LOG_APPEND_TIME, APPEND_TIME);
    write("log-append-time", appended);
  }

  private void markers() throws IOException {
    for (ControlRecordType type : List.of(ControlRecordType.COMMIT, ControlRecordType.ABORT)) {
      EndTransactionMarker marker = new EndTransactionMarker(type, 29);
      write(
          "marker-" + type.name().toLowerCase(),
          MemoryRecords.withEndTransactionMarker(
              BASE_OFFSET, APPEND_TIME, LEADER_EPOCH, PRODUCER_ID, PRODUCER_EPOCH, marker));
    }
  }

  private void write(String name, MemoryRecords records) throws IOException {
    for (RecordBatch batch : records.batches()) batch.ensureValid();
    ByteBuffer buffer = records.buffer().duplicate();
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    Files.write(directory.resolve(name + ".bin"), bytes);
  }
}
