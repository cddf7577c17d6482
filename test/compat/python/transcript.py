"""Prints the transcript: one JSON object a line, "at" first."""

import json
import time

from confluent_kafka import KafkaException

WAIT_SECONDS_MAX = 20


def emit(at, **fields):
    print(json.dumps({"at": at, **fields}), flush=True)


def error_name(error):
    """The name in librdkafka's table, which is Kafka's for what a broker answered."""
    kafka_error = error.args[0] if isinstance(error, KafkaException) else error
    return kafka_error.name()


def attempt(at, call):
    """Emits the outcome of a call: NONE and its result, or the name of what it refused with."""
    try:
        result = call()
    except KafkaException as error:
        emit(at, error=error_name(error))
        return
    if result is None:
        emit(at, error="NONE")
    else:
        emit(at, error="NONE", result=result)


def until(what, condition):
    """Tries again until the condition holds; fails after 20 s."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited too long for {what}")


def let_spread():
    """Waits after a change until Kafka's broker surely has it too: its controller answers first."""
    time.sleep(0.2)


def text(raw):
    return None if raw is None else raw.decode()


def only(futures):
    """The result of an admin call about one thing."""
    (future,) = futures.values()
    return future.result()
