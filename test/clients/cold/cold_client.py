"""confluent-kafka (librdkafka) writes to a topic, or reads all of it: prints a line a record.

    cold_client.py BOOTSTRAP TOPIC write FROM COUNT CODEC
    cold_client.py BOOTSTRAP TOPIC read

Each line is `partition offset timestamp key header digest`, `-` for what is null. Of what is written
in the order of the acknowledgements, of what is read in the order in which it comes.
"""

import hashlib
import random
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition

BOOTSTRAP, TOPIC, COMMAND = sys.argv[1:4]
FIRST_TIMESTAMP = 1_700_000_000_000
# The last one gets few records: less than a segment of the object store.
PARTITIONS = 3


def tell(message, headers):
    key, value = message.key(), message.value()
    ((name, number),) = headers
    digest = "-" if value is None else hashlib.sha256(value).hexdigest()
    words = [message.partition(), message.offset(), message.timestamp()[1]]
    words += ["-" if key is None else key.decode(), f"{name}={number.decode()}", digest]
    print(*words)


def write(first, count, codec):
    producer = Producer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "enable.idempotence": True,
            "compression.type": codec,
            "linger.ms": 20,
        }
    )
    failures = []

    def send(number):
        # The acknowledged message does not tell its headers.
        headers = [("number", str(number).encode())]

        def delivered(error, message):
            if error is None:
                tell(message, headers)
            else:
                failures.append(error)

        value = random.Random(number).randbytes(100 + number * 37 % 3_000)
        producer.produce(
            TOPIC,
            key=None if number % 7 == 0 else f"librdkafka-{number}",
            value=None if number % 11 == 0 else value,
            headers=headers,
            partition=2 if number % 50 == 0 else number % 2,
            timestamp=FIRST_TIMESTAMP + number * 1_000,
            on_delivery=delivered,
        )

    for number in range(first, first + count):
        send(number)
        producer.poll(0)
    left = producer.flush(60)
    if failures or left:
        sys.exit(f"{left} were not delivered; failed: {failures[:3]}")


def read():
    consumer = Consumer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "group.id": "unused",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "check.crcs": True,
        }
    )
    consumer.assign([TopicPartition(TOPIC, each, OFFSET_BEGINNING) for each in range(PARTITIONS)])
    ended = set()
    while len(ended) < PARTITIONS:
        for message in consumer.consume(1_000, 1):
            error = message.error()
            if error is None:
                tell(message, message.headers())
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            else:
                raise KafkaException(error)
    consumer.close()


if COMMAND == "write":
    write(int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
else:
    read()
