import { ApiKey, buildBatch, crc32c, ErrorCode } from "@millrace/wire";
import { leaderErrors } from "./client-routes.ts";
import { ClientProcess, nameOf, type PartitionRef, type Scene } from "./client.ts";
import type { Completion, Send } from "./history.ts";
import { ConnectionLost, type KafkaConnection } from "./kafka-connection.ts";
import { answerFor, produceRequest } from "./producer.ts";
import { bytesOf, type Values } from "./values.ts";

/** Errors that say for certain that nothing was appended. */
const certainlyNot: ReadonlySet<number> = new Set([
  ErrorCode.CORRUPT_MESSAGE,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.MESSAGE_TOO_LARGE,
  ErrorCode.INVALID_RECORD,
]);

/** A producer without sequences: each batch is sent once, with its acks, now and then damaged. */
export class PlainProducer extends ClientProcess {
  readonly #values: Values;
  readonly #acks: -1 | 0 | 1;
  readonly #version: number;

  constructor(
    scene: Scene,
    options: { readonly name: string; readonly values: Values; readonly acks: -1 | 0 | 1 },
  ) {
    super(scene, options.name);
    this.#values = options.values;
    this.#acks = options.acks;
    this.#version = scene.world.between(3, 13);
  }

  async run(): Promise<void> {
    const { world, cluster } = this.scene;
    while (!this.scene.isEnding) {
      await this.connect();
      if (cluster.partitions.length > 0) {
        const ref = world.pick(cluster.partitions);
        const [found] = await this.byLeader([{ ref }]);
        if (found !== undefined) await this.#send(found.connection, ref);
      }
      await this.sleep(world.between(10, 300));
    }
  }

  async #send(connection: KafkaConnection, ref: PartitionRef): Promise<void> {
    const { cluster, history, world } = this.scene;
    const planned = this.#values.plan(world, cluster.keysOf(ref));
    const sends = planned.map((record) =>
      history.begin<Send>({
        ...{ kind: "send", producer: this.name, partition: nameOf(ref), ...record },
        ...{ acks: this.#acks, idempotent: false },
      }),
    );
    const timestamp = this.clock.wallMs();
    const bytes = buildBatch(
      planned.map((record) => bytesOf(record, timestamp)),
      { crc32c },
    );
    const isDamaged = world.chance(50);
    if (isDamaged) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    const body = produceRequest([{ ref, bytes }], { acks: this.#acks, version: this.#version });
    if (this.#acks === 0) {
      connection.post(ApiKey.Produce, this.#version, body);
      return;
    }
    try {
      const answer = await connection.request(ApiKey.Produce, this.#version, body);
      const part = answerFor(answer, ref);
      if (part === undefined) this.host.note(`${this.name}: no answer for ${nameOf(ref)}`);
      else {
        this.#settle(sends, part);
        if (leaderErrors.has(part.errorCode)) {
          this.lostLeader(ref, { ...part.currentLeader, endpoints: answer.nodeEndpoints });
        }
      }
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      this.lostLeader(ref);
    }
  }

  #settle(
    sends: readonly Send[],
    answer: { readonly errorCode: number; readonly baseOffset: number },
  ): void {
    const isDone = answer.errorCode === ErrorCode.NONE;
    const failure: Completion = certainlyNot.has(answer.errorCode) ? "fail" : "info";
    sends.forEach((send, index) => {
      if (isDone) send.offset = answer.baseOffset + index;
      this.scene.history.end(send, isDone ? "ok" : failure);
    });
  }
}
