"""confluent-kafka (librdkafka) logs in over SASL_SSL: prints what it saw, a JSON line a step.

Arguments: bootstrap address, file of the authority's certificate, the admin's name and password.
"""

import json
import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    NewTopic,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

BOOTSTRAP, AUTHORITY, ADMIN, ADMIN_PASSWORD = sys.argv[1:5]
TOPIC = "python-sasl"
WAIT_S = 20


def login(mechanism, user, password):
    return {
        "bootstrap.servers": BOOTSTRAP,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": AUTHORITY,
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": password,
        "log_level": 0,
    }


def emit(step, result):
    print(json.dumps({"step": step, "result": result}), flush=True)


def produce(configs, value):
    """`sent`, or the name of the error that ends every attempt to connect."""
    errors = []
    producer = Producer({**configs, "message.timeout.ms": 8000, "error_cb": errors.append})
    delivered = []
    producer.produce(TOPIC, value=value, on_delivery=lambda error, _: delivered.append(error))
    deadline = time.monotonic() + WAIT_S
    while not delivered and time.monotonic() < deadline:
        producer.poll(0.05)
        if any(error.code() == KafkaError._AUTHENTICATION for error in errors):
            return "_AUTHENTICATION"
    return "sent" if delivered == [None] else str(delivered)


def consume(configs, count):
    consumer = Consumer({**configs, "group.id": "unused", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    values = []
    deadline = time.monotonic() + WAIT_S
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            values.append(message.value().decode())
    return consumer, values


def altered(admin, alteration):
    for future in admin.alter_user_scram_credentials([alteration]).values():
        try:
            future.result(WAIT_S)
        except KafkaException as failure:
            return failure.args[0].name()
    return "altered"


def ended(consumer, errors):
    """Whether a consumer that was at work is told that it may not be any more."""
    deadline = time.monotonic() + WAIT_S
    while not errors and time.monotonic() < deadline:
        consumer.poll(0.05)
    return bool(errors)


def main():
    admin = AdminClient(login("PLAIN", ADMIN, ADMIN_PASSWORD))
    for future in admin.create_topics([NewTopic(TOPIC, 1, 1)]).values():
        future.result(WAIT_S)
    strong = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192)
    emit("create", altered(admin, UserScramCredentialUpsertion("alice", strong, b"wonder")))
    for mechanism in ("SCRAM-SHA-512", "PLAIN"):
        emit(f"produce/{mechanism}", produce(login(mechanism, "alice", "wonder"), mechanism))
        emit(f"wrong/{mechanism}", produce(login(mechanism, "alice", "blunder"), "no"))
    emit("other-mechanism", produce(login("SCRAM-SHA-256", "alice", "wonder"), "no"))
    errors = []

    def refused(error):
        if error.code() == KafkaError._AUTHENTICATION:
            errors.append(error)

    reader = {**login("SCRAM-SHA-512", "alice", "wonder"), "error_cb": refused}
    consumer, values = consume(reader, 2)
    emit("consume", values)
    described = admin.describe_user_scram_credentials(["alice"])["alice"].result(WAIT_S)
    emit("describe", [[str(c.mechanism), c.iterations] for c in described.scram_credential_infos])
    deletion = UserScramCredentialDeletion("alice", ScramMechanism.SCRAM_SHA_512)
    emit("delete", altered(admin, deletion))
    emit("delete-again", altered(admin, deletion))
    emit("ended", ended(consumer, errors))
    for mechanism in ("SCRAM-SHA-512", "PLAIN"):
        emit(f"deleted/{mechanism}", produce(login(mechanism, "alice", "wonder"), "no"))


main()
