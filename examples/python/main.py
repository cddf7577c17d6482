"""main.py [BOOTSTRAP]: replays each data set through a topic, and lets a consumer group compute an answer."""

import sys
import threading
import time
from pathlib import Path

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from data_sets import DATA_SETS

BOOTSTRAP = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9092"
FOLDER = Path(sys.argv[2] if len(sys.argv) > 2 else Path(__file__).parents[2] / "node_modules/vega-datasets/data")
PARTITIONS = 6
MEMBERS = 3


def replay(events, topic):
    """Creates the topic and sends every event, in order; each key stays in one partition."""
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()
    failures = []
    producer = Producer(
        {"bootstrap.servers": BOOTSTRAP, "enable.idempotence": True, "partitioner": "murmur2_random"}
    )
    for key, value, headers in events:
        producer.produce(
            topic,
            key=key,
            value=value,
            headers=headers,
            on_delivery=lambda error, _message: failures.append(error) if error else None,
        )
        producer.poll(0)
    producer.flush()
    if failures:
        raise RuntimeError(f"{len(failures)} events were not delivered, first: {failures[0]}")


class Group:
    """Several members read the topic once, together, and fold it into the answer."""

    def __init__(self, topic, events, answer):
        self.topic, self.left, self.answer = topic, events, answer
        self.taken = {}
        self.lock = threading.Lock()

    def run(self):
        threads = [threading.Thread(target=self.member) for _ in range(MEMBERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def member(self):
        consumer = Consumer(
            {
                "bootstrap.servers": BOOTSTRAP,
                "group.id": f"{self.topic}-readers",
                "auto.offset.reset": "earliest",
                "session.timeout.ms": 10_000,
            }
        )
        consumer.subscribe([self.topic])
        while self.left > 0:
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                self.take(message)
        consumer.close()

    def take(self, message):
        with self.lock:
            # A rebalance may deliver an uncommitted record to a second member: each offset counts once.
            if message.offset() <= self.taken.get(message.partition(), -1):
                return
            self.taken[message.partition()] = message.offset()
            self.answer.take(message.key().decode(), message.value().decode())
            self.left -= 1


for data_set in DATA_SETS:
    topic = f"{data_set.name}-{time.time_ns():x}"
    events = list(data_set.events(FOLDER))
    answer = data_set()
    replay(events, topic)
    Group(topic, len(events), answer).run()
    print(f"{data_set.name}: {len(events)} events through {topic}, read by {MEMBERS} members")
    for line in answer.lines():
        print(f"  {line}")
