"""What the log holds in the end: reads every partition from its beginning to its end, over librdkafka.

    drain.py BOOTSTRAP TOPIC PARTITIONS GROUP

Prints `R partition offset value` for every record, then `F partition offset` for what the group committed.
"""

import sys

from confluent_kafka import Consumer, KafkaException, TopicPartition

BOOTSTRAP, TOPIC, PARTITIONS, GROUP = sys.argv[1:5]
PARTITIONS = int(PARTITIONS)

reader = Consumer(
    {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": GROUP,
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "check.crcs": True,
    }
)
for partition in range(PARTITIONS):
    at = TopicPartition(TOPIC, partition)
    low, high = reader.get_watermark_offsets(at, timeout=20)
    at.offset = low
    reader.assign([at])
    position = low
    while position < high:
        for message in reader.consume(10_000, 1):
            if message.error() is not None:
                continue
            position = message.offset() + 1
            value = int.from_bytes(message.value()[:8], "big")
            print("R", message.partition(), message.offset(), value)
    reader.unassign()
asked = [TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)]
for found in reader.committed(asked, timeout=20):
    if found.error is not None:
        raise KafkaException(found.error)
    if found.offset >= 0:
        print("F", found.partition, found.offset)
reader.close()
