"""A client of librdkafka, with its own timeouts, that must notice nothing: neighbour.py BOOTSTRAP TOPIC.

It produces numbered records with acks=all and reads them in a consumer group that commits. Each line
on its standard input makes it print, as JSON, what happened since the line before. At the end of its
input it waits for what is under way and prints the sum: every record once, in order.
"""

import json
import select
import sys
import time

from confluent_kafka import Consumer, Producer

bootstrap, topic = sys.argv[1:3]
INTERVAL_S = 0.02
errors = []
waits = []
sent = 0
received = 0
lost = []


def on_error(error):
    errors.append(str(error))


def on_delivery(error, message):
    if error:
        errors.append(f"delivery: {error}")


common = {"bootstrap.servers": bootstrap, "error_cb": on_error}
producer = Producer({**common, "acks": "all", "enable.idempotence": True, "linger.ms": 0})
consumer = Consumer(
    {
        **common,
        "group.id": f"{topic}-readers",
        "auto.offset.reset": "earliest",
        "auto.commit.interval.ms": 200,
        "fetch.wait.max.ms": 100,
    }
)
assignments = 0


def on_assign(consumer, partitions):
    global assignments
    assignments += 1


def on_lost(consumer, partitions):
    errors.append("the group's assignment was lost")


consumer.subscribe([topic], on_assign=on_assign, on_lost=on_lost)


def take(timeout):
    global received
    message = consumer.poll(timeout)
    if message is None:
        return
    if message.error():
        errors.append(f"consumed: {message.error()}")
        return
    number, sent_at = json.loads(message.value())
    if number != received:
        lost.append([received, number])
    received = number + 1
    waits.append((time.monotonic() - sent_at) * 1000)


def send():
    global sent
    producer.produce(topic, json.dumps([sent, time.monotonic()]), on_delivery=on_delivery)
    sent += 1


def report():
    global assignments
    ordered = sorted(waits)
    at = lambda part: ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0
    line = {
        "errors": errors[:20],
        "gaps": lost[:20],
        "assignments": assignments,
        "sent": sent,
        "received": received,
        "waits": {"count": len(ordered), "p50": at(0.5), "p99": at(0.99), "max": at(1)},
    }
    for seen in (waits, errors, lost):
        seen.clear()
    assignments = 0
    print(json.dumps(line), flush=True)


deadline = time.monotonic() + 30
send()
while received == 0 and time.monotonic() < deadline:
    producer.poll(0)
    take(0.05)
if received == 0:
    sys.exit("nothing came")
waits.clear()
assignments = 0
print("running", flush=True)
due = time.monotonic()
while True:
    if select.select([sys.stdin], [], [], 0)[0]:
        if sys.stdin.readline() == "":
            break
        report()
    now = time.monotonic()
    if now >= due:
        send()
        due = max(due + INTERVAL_S, now)
    producer.poll(0)
    take(max(0.0, min(0.01, due - time.monotonic())))
producer.flush(20)
deadline = time.monotonic() + 20
while received < sent and time.monotonic() < deadline:
    take(0.1)
report()
consumer.close()
