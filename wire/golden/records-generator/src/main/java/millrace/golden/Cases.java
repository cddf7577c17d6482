package millrace.golden;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.internal.SimpleRecord;

/** The records that the golden batches hold. wire/src/record/golden.test.ts states them again. */
final class Cases {
  private static final long BASE = 1_700_000_000_000L;

  private Cases() {}

  /** Nulls, empty bytes, headers of every kind, timestamps that go up, down and stay. */
  static List<SimpleRecord> mixed() {
    List<SimpleRecord> records = new ArrayList<>();
    records.add(new SimpleRecord(BASE, utf8("key"), utf8("value")));
    records.add(new SimpleRecord(BASE + 5_000, null, utf8("no key")));
    records.add(new SimpleRecord(BASE - 86_400_000L, utf8("tombstone"), null));
    records.add(new SimpleRecord(BASE, new byte[0], new byte[0]));
    records.add(new SimpleRecord(BASE + 10_000_000_000L, (byte[]) null, (byte[]) null));
    Header[] headers = {
      new RecordHeader("trace", utf8("a")),
      new RecordHeader("trace", utf8("b")),
      new RecordHeader("null", (byte[]) null),
      new RecordHeader("", new byte[0]),
      new RecordHeader("grüße-日本-🚀", new byte[] {0, (byte) 0xff, 127, (byte) 128}),
    };
    records.add(new SimpleRecord(BASE, utf8("ключ"), utf8("значение"), headers));
    return records;
  }

  /** Enough compressible bytes for several lz4 blocks and snappy chunks. */
  static List<SimpleRecord> repetitive() {
    List<SimpleRecord> records = new ArrayList<>();
    for (int index = 0; index < 500; index++) {
      String value = ("record " + index + " of the repetitive case; ").repeat(10);
      records.add(new SimpleRecord(BASE + index, utf8("key-" + index % 7), utf8(value)));
    }
    return records;
  }

  /** Bytes that no codec can shorten: the top bytes of a linear congruential generator. */
  static List<SimpleRecord> noise() {
    byte[] value = new byte[40_000];
    int state = 1;
    for (int index = 0; index < value.length; index++) {
      state = state * 1_664_525 + 1_013_904_223;
      value[index] = (byte) (state >>> 24);
    }
    return List.of(new SimpleRecord(BASE, null, value));
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
