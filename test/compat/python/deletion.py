"""A log whose head is deleted, and what is then seen of it."""

from confluent_kafka import Consumer, KafkaException, OFFSET_END, TopicPartition

from transcript import attempt, emit, only, text, until


def delete_records(context):
    topic = context.name("delete-records")
    context.create_topic(topic, 2, {"retention.ms": "-1"})
    context.produce_numbered(topic, 1, 0, 10)

    def delete(at, offset, partition=0, of=topic):
        def call():
            asked = [TopicPartition(of, partition, offset)]
            return only(context.admin.delete_records(asked, request_timeout=5)).low_watermark

        attempt(f"delete-records/{at}", call)

    delete("before-4", 4)
    delete("before-2-again", 2)
    delete("past-the-end", 11)
    emit("delete-records/watermarks", watermarks=watermarks(context, topic))
    emit("delete-records/reset-from-1", values=values_from(context, topic, 1))
    delete("all", OFFSET_END)
    delete("all-of-an-empty-one", OFFSET_END, partition=1)
    emit("delete-records/watermarks-of-nothing", watermarks=watermarks(context, topic))
    context.produce_numbered(topic, 1, 10, 12)
    emit("delete-records/watermarks-after-producing", watermarks=watermarks(context, topic))
    compacted = context.name("delete-records-compacted")
    context.create_topic(compacted, 1, {"cleanup.policy": "compact"})
    delete("compacted", 0, of=compacted)


def watermarks(context, topic):
    consumer = context.consumer()
    found = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10, cached=False)
    consumer.close()
    return list(found)


def values_from(context, topic, offset):
    """Up to the tenth record, by a consumer that resets to the beginning where it is out of range."""
    consumer: Consumer = context.consumer()
    consumer.assign([TopicPartition(topic, 0, offset)])
    values = []

    def complete():
        message = consumer.poll(0.05)
        if message is not None and message.error():
            raise KafkaException(message.error())
        if message is not None:
            values.append(text(message.value()))
        return values and values[-1] == "9"

    until("the tenth record", complete)
    consumer.close()
    return values
