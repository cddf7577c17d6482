"""Where the broker is, and the clients that every scenario makes."""

from confluent_kafka import Consumer, OFFSET_BEGINNING, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from transcript import error_name, only, until


class Context:
    def __init__(self, bootstrap, prefix):
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.admin = AdminClient({"bootstrap.servers": bootstrap})

    def name(self, suffix):
        return self.prefix + suffix

    def producer(self, **overrides):
        configs = {"bootstrap.servers": self.bootstrap, "linger.ms": 0, "message.timeout.ms": 20000}
        return Producer({**configs, **dotted(overrides)})

    def consumer(self, **overrides):
        configs = {
            "bootstrap.servers": self.bootstrap,
            "group.id": self.name("reader"),
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "heartbeat.interval.ms": 200,
            "topic.metadata.refresh.interval.ms": 1000,
        }
        return Consumer({**configs, **dotted(overrides)})

    def create_topic(self, topic, partitions, configs=None):
        only(self.admin.create_topics([NewTopic(topic, partitions, 1, config=configs or {})]))
        until(f"the leaders of {topic}", lambda: self.has_leaders(topic, partitions))

    def has_leaders(self, topic, partitions):
        """Kafka answers before its brokers have heard of the topic."""
        described = self.admin.list_topics(topic, timeout=10).topics[topic].partitions.values()
        return [partition.leader >= 0 for partition in described] == [True] * partitions

    def send(self, producer, topic, **record):
        """Sends one record and waits: (message, None) or (None, the error's name)."""
        delivered = []
        producer.produce(
            topic, on_delivery=lambda error, message: delivered.append((error, message)), **record
        )
        until("a delivery", lambda: producer.poll(0.05) >= 0 and delivered)
        error, message = delivered[0]
        return (message, None) if error is None else (None, error_name(error))

    def produce_numbered(self, topic, partitions, start, end):
        """Values start .. end - 1, spread over the partitions in turn."""
        producer = self.producer(linger_ms=5)
        failures = []
        for i in range(start, end):
            producer.produce(
                topic,
                value=str(i),
                partition=i % partitions,
                on_delivery=lambda error, _: failures.append(error) if error else None,
            )
        if producer.flush(20) or failures:
            raise RuntimeError(f"not delivered: {failures}")

    def read_all(self, topic, partitions):
        """The partitions of one topic from the beginning to their ends, in order."""
        consumer = self.consumer()
        missing = {}
        for partition in range(partitions):
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            missing[partition] = end
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
        messages = []

        def complete():
            message = consumer.poll(0.05)
            if message is not None:
                if message.error():
                    raise RuntimeError(message.error())
                messages.append(message)
            return len(messages) >= sum(missing.values())

        until(f"the end of {topic}", complete)
        consumer.close()
        return sorted(messages, key=lambda message: (message.partition(), message.offset()))


def dotted(names):
    return {name.replace("_", "."): value for name, value in names.items()}
