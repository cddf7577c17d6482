package millrace.golden;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;

/**
 * Reads every batch file of a directory with Java's client and prints, a file per line, its header
 * and a digest of its records. `wire/generator/write-batches.ts` writes such files.
 */
public final class ReadBack {
  private ReadBack() {}

  public static void main(String[] arguments) throws Exception {
    List<Path> files;
    try (Stream<Path> entries = Files.list(Path.of(arguments[0]))) {
      files = entries.filter(path -> path.toString().endsWith(".bin")).sorted().toList();
    }
    if (files.isEmpty()) throw new IllegalArgumentException("no batches in " + arguments[0]);
    for (Path file : files) print(file);
  }

  private static void print(Path file) throws IOException, NoSuchAlgorithmException {
    MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(file)));
    for (MutableRecordBatch batch : records.batches()) {
      batch.ensureValid();
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      int count = 0;
      for (Record record : batch) {
        digest.update(describe(record).getBytes(StandardCharsets.UTF_8));
        count++;
      }
      System.out.printf(
          "%s %s offsets=%d-%d producer=%d/%d/%d max=%d count=%d sha256=%s%n",
          file.getFileName(), batch.compressionType(), batch.baseOffset(), batch.lastOffset(),
          batch.producerId(), batch.producerEpoch(), batch.baseSequence(), batch.maxTimestamp(),
          count, HexFormat.of().formatHex(digest.digest()).substring(0, 16));
    }
  }

  private static String describe(Record record) {
    StringBuilder text = new StringBuilder();
    text.append(record.offset()).append('|').append(record.timestamp());
    text.append('|').append(hex(record.key())).append('|').append(hex(record.value()));
    for (Header header : record.headers()) {
      text.append('|').append(header.key()).append('=');
      text.append(header.value() == null ? "null" : hex(ByteBuffer.wrap(header.value())));
    }
    return text.append('\n').toString();
  }

  private static String hex(ByteBuffer buffer) {
    if (buffer == null) return "null";
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return HexFormat.of().formatHex(Arrays.copyOf(bytes, bytes.length));
  }
}
