"""confluent-kafka (librdkafka) against a broker: prints the transcript of scenarios.md."""

import functools
import sys
import time
import traceback

import deletion
import groups
import records
import storage
import topics
from context import Context
from transcript import emit

SCENARIOS = {
    "cluster": topics.cluster,
    "topics": topics.topics,
    "configs": topics.configs,
    "codecs": records.codecs,
    "records": records.records,
    "timestamps": records.timestamps,
    "seek": records.seek,
    "delete-records": deletion.delete_records,
    "idempotent": records.idempotent,
    **{
        f"group-{name}": functools.partial(groups.handover, assignor=name)
        for name in groups.ASSIGNORS
    },
    "static": groups.static_members,
    "group-admin": groups.group_admin,
    "errors": records.errors,
    "compaction": storage.compaction,
    "tiered": storage.tiered,
}


def main():
    context = Context(sys.argv[1], sys.argv[2])
    complete = True
    for name, scenario in SCENARIOS.items():
        started_at = time.monotonic()
        try:
            scenario(context)
        except Exception:
            complete = False
            emit(f"{name}/failed")
            traceback.print_exc()
        print(f"{name}: {(time.monotonic() - started_at) * 1000:.0f} ms", file=sys.stderr)
    sys.exit(0 if complete else 1)


main()
