"""Load for the soak, over librdkafka: one producer or one group member, for the life of one topic.

    load.py produce BOOTSTRAP TOPIC PARTITIONS BYTES_PER_SECOND SEED KEY=VALUE,…
    load.py member  BOOTSTRAP TOPIC GROUP CHECKED
    load.py scan    BOOTSTRAP TOPIC PARTITIONS AT_ONCE BYTES_PER_SECOND SEED
    load.py once    BOOTSTRAP TOPIC PARTITIONS AT_ONCE

PARTITIONS is a list as in 0,1,2. Record n of a partition begins with n in eight bytes, so that a
member can tell whether a record of a partition below CHECKED lies at its own offset: exactly once,
in order. These work until their standard input ends. `scan` reads some partitions at a time from the
first offset that there is to the end that they had then, over and over; `once` does so with each
partition, and ends. Their records have to lie at their own offsets without a gap, but where the
log's start moved meanwhile. Lines that they write:

    A partition count        the producer's acknowledged records, at its end
    S records bytes skipped  a scan's pass came to its end; so often the start had moved
    R partition from to      the member got these offsets, `to` not among them; said before a commit
    X reason                 what must not happen
"""

import random
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

FLUSH_SECONDS_MAX = 60
REPORT_SECONDS = 1.0
ANSWER_SECONDS_MAX = 30
STALL_SECONDS_MAX = 60

stopping = threading.Event()


def tell(*words):
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def client(bootstrap, extra):
    return {
        "bootstrap.servers": bootstrap,
        "error_cb": lambda error: tell("X", error.str()) if error.fatal() else None,
        "log_level": 0,
        **extra,
    }


def record_size(chance):
    """100 B to 100 KB: most are small, and most bytes are in the large ones."""
    kind = chance.random()
    if kind < 0.70:
        return chance.randint(100, 500)
    if kind < 0.95:
        return chance.randint(1_000, 8_000)
    return chance.randint(20_000, 100_000)


def produce(bootstrap, topic, partitions, rate, seed, settings):
    partitions = [int(partition) for partition in partitions.split(",")]
    rate, chance = int(rate), random.Random(int(seed))
    sent = {partition: 0 for partition in partitions}
    acknowledged = dict(sent)
    # Half noise, half zeros: a codec makes something of it, as of real records.
    noise = b"".join(chance.randbytes(512) + bytes(512) for _ in range(200))

    def delivered(error, message):
        if error is None:
            acknowledged[message.partition()] += 1
        else:
            tell("X", "a record was not delivered:", error.name())

    extra = dict(setting.split("=") for setting in settings.split(","))
    producer = Producer(client(bootstrap, {"linger.ms": 5, **extra}))
    started, sent_bytes = time.monotonic(), 0
    while not stopping.is_set():
        due = (time.monotonic() - started) * rate
        while sent_bytes < due and not stopping.is_set():
            partition, size = chance.choice(partitions), record_size(chance)
            at = chance.randrange(len(noise) - size)
            value = sent[partition].to_bytes(8, "big") + noise[at : at + size - 8]
            try:
                producer.produce(topic, value, partition=partition, on_delivery=delivered)
            except BufferError:
                break
            sent[partition] += 1
            sent_bytes += size
        producer.poll(0.005)
    left = producer.flush(FLUSH_SECONDS_MAX)
    if left:
        tell("X", f"{left} records were not delivered in {FLUSH_SECONDS_MAX} s")
    for partition, count in acknowledged.items():
        tell("A", partition, count)


class Member:
    def __init__(self, bootstrap, topic, group, checked):
        self.topic, self.checked = topic, int(checked)
        self.ranges = {}
        settings = {
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 1_000,
            "check.crcs": True,
        }
        self.consumer = Consumer(client(bootstrap, settings))

    def run(self):
        self.consumer.subscribe([self.topic], on_revoke=lambda *_: self.report())
        reported = time.monotonic()
        while not stopping.is_set():
            for message in self.consumer.consume(500, 0.1):
                if message.error() is None:
                    self.got(message)
            if time.monotonic() - reported > REPORT_SECONDS:
                self.report()
                reported = time.monotonic()
        self.report()
        self.consumer.close()

    def got(self, message):
        partition, offset = message.partition(), message.offset()
        if partition < self.checked:
            number = int.from_bytes(message.value()[:8], "big")
            if number != offset:
                tell("X", f"record {number} of partition {partition} lies at {offset}")
        known = self.ranges.get(partition)
        if known is None or known[1] != offset:
            self.say(partition)
            self.ranges[partition] = [offset, offset + 1]
        else:
            known[1] = offset + 1

    def say(self, partition):
        known = self.ranges.pop(partition, None)
        if known is not None:
            tell("R", partition, *known)

    def report(self):
        """What is committed was told before: a member that is killed then leaves no gap."""
        for partition in list(self.ranges):
            self.say(partition)
        try:
            self.consumer.commit(asynchronous=False)
        except KafkaException as failure:
            if failure.args[0].code() == KafkaError._FATAL:
                tell("X", failure)


def member(*args):
    Member(*args).run()


class Scan:
    """One pass over some partitions, each from its start to the end that it has now."""

    def __init__(self, consumer, topic, rate):
        self.consumer, self.topic, self.rate = consumer, topic, rate
        self.records = self.bytes = self.skipped = 0

    def run(self, partitions):
        marks = {partition: self.watermarks(partition) for partition in partitions}
        self.expected = {partition: low for partition, (low, _) in marks.items()}
        self.ends = {partition: high for partition, (_, high) in marks.items()}
        self.read_from(partitions)
        started = heard = time.monotonic()
        while not stopping.is_set() and self.left():
            messages = self.consumer.consume(500, 0.2)
            for message in messages:
                if message.error() is None:
                    self.got(message)
                elif message.error().code() == KafkaError._AUTO_OFFSET_RESET:
                    self.out_of_range(message)
                elif message.error().fatal():
                    tell("X", message.error().str())
            now = time.monotonic()
            heard = now if messages else heard
            if now - heard > STALL_SECONDS_MAX:
                tell("X", f"a scan got nothing for {STALL_SECONDS_MAX} s: {self.left()}")
                return
            ahead = self.bytes / self.rate - (now - started) if self.rate else 0
            if ahead > 0:
                stopping.wait(ahead)
                heard = time.monotonic()
        tell("S", self.records, self.bytes, self.skipped)

    def watermarks(self, partition):
        return self.consumer.get_watermark_offsets(
            TopicPartition(self.topic, partition), ANSWER_SECONDS_MAX, cached=False
        )

    def read_from(self, partitions):
        wanted = [partition for partition in partitions if self.expected[partition] < self.ends[partition]]
        self.consumer.assign([TopicPartition(self.topic, one, self.expected[one]) for one in wanted])

    def left(self):
        return {one: at for one, at in self.expected.items() if at < self.ends[one]}

    def out_of_range(self, message):
        """The start may have moved past what was asked for; it never comes back, so later is early enough to look."""
        partition, refused = message.partition(), message.offset()
        low = self.watermarks(partition)[0]
        if refused is None or refused >= low:
            tell("X", f"{self.topic}-{partition}: {refused} was refused, {low} is the start: {message.error().str()}")
        if low > self.expected[partition]:
            self.expected[partition] = low
            self.skipped += 1
        # One of an earlier assignment may come late: to read on from where it was does no harm.
        self.read_from(list(self.expected))

    def got(self, message):
        partition, offset = message.partition(), message.offset()
        if offset < self.expected[partition]:
            return
        number = int.from_bytes(message.value()[:8], "big")
        if number != offset:
            tell("X", f"record {number} of partition {partition} lies at {offset}")
        if offset != self.expected[partition]:
            low = self.watermarks(partition)[0]
            if low < offset:
                tell("X", f"{self.topic}-{partition}: {offset} came after {self.expected[partition] - 1}, {low} is the start")
            self.skipped += 1
        self.expected[partition] = offset + 1
        self.records += 1
        self.bytes += len(message.value())


def scanner(bootstrap):
    settings = {"group.id": "scan", "enable.auto.commit": False, "auto.offset.reset": "error", "check.crcs": True}
    return Consumer(client(bootstrap, settings))


def scan(bootstrap, topic, partitions, at_once, rate, seed):
    partitions, chance = [int(one) for one in partitions.split(",")], random.Random(int(seed))
    consumer = scanner(bootstrap)
    while not stopping.is_set():
        chosen = chance.sample(partitions, min(int(at_once), len(partitions)))
        Scan(consumer, topic, int(rate)).run(chosen)
        # A topic that has little to read is not asked for it all the time.
        stopping.wait(0.2)
    consumer.close()


def once(bootstrap, topic, partitions, at_once):
    partitions, at_once = [int(one) for one in partitions.split(",")], int(at_once)
    consumer = scanner(bootstrap)
    for at in range(0, len(partitions), at_once):
        Scan(consumer, topic, 0).run(partitions[at : at + at_once])
    consumer.close()


def guarded(work, *args):
    try:
        work(*args)
    except Exception as failure:  # told, so that the soak fails with a reason
        tell("X", repr(failure))


modes = {"produce": produce, "member": member, "scan": scan, "once": once}
work = threading.Thread(target=guarded, args=(modes[sys.argv[1]], *sys.argv[2:]))
work.start()
if sys.argv[1] != "once":
    sys.stdin.read()
    stopping.set()
work.join()
