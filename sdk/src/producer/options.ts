import { argumentError } from "../errors.ts";
import {
  batchBytesDefault,
  bufferedBytesDefault,
  deliveryTimeoutMsDefault,
  requestBytesMax,
  requestTimeoutMsDefault,
  timerMsMax,
} from "../limits.ts";
import type { Compression } from "../transport/transport.ts";

/**
 * How a producer sends.
 *
 * @example
 * ```ts
 * import { connect, type ProducerOptions } from "@millrace/sdk";
 *
 * const bulk: ProducerOptions = { lingerMs: 20, compression: "zstd" };
 * await using client = connect({ brokers: ["localhost:9092"], producer: bulk });
 * console.log(client.brokers);
 * ```
 */
export interface ProducerOptions {
  /**
   * How long a batch waits for more records. 0 (the default): no longer than the event loop's turn,
   * or as long as the partition's last batch has no answer.
   */
  readonly lingerMs?: number;
  /** Bytes at which a batch goes without waiting; 512 KiB unless said otherwise. */
  readonly batchBytes?: number;
  /** Default `none`. */
  readonly compression?: Compression;
  /**
   * `all` (the default): acknowledged when the record is durable by the topic's policy. `leader`:
   * when the leader has it; then `idempotent` is off.
   */
  readonly acks?: "all" | "leader";
  /** Whether a retry can't write a record twice, or out of order (KIP-98). Default true. */
  readonly idempotent?: boolean;
  /** Bytes that may wait for an acknowledgement; then `send` waits. Default 32 MiB. */
  readonly bufferedBytes?: number;
  /** From `send` to the acknowledgement, retries included. Default 120,000. */
  readonly deliveryTimeoutMs?: number;
}

export interface ProducerSettings extends Required<ProducerOptions> {
  readonly requestTimeoutMs: number;
}

/** Throws INVALID_ARGUMENT for options that contradict each other. */
export function producerSettings(options: ProducerOptions): ProducerSettings {
  const acks = options.acks ?? "all";
  const settings: ProducerSettings = {
    acks,
    idempotent: options.idempotent ?? acks === "all",
    lingerMs: options.lingerMs ?? 0,
    batchBytes: options.batchBytes ?? batchBytesDefault,
    compression: options.compression ?? "none",
    bufferedBytes: options.bufferedBytes ?? bufferedBytesDefault,
    deliveryTimeoutMs: options.deliveryTimeoutMs ?? deliveryTimeoutMsDefault,
    // Who has to know sooner than a request may take would else hear of it too late.
    requestTimeoutMs: Math.min(
      requestTimeoutMsDefault,
      options.deliveryTimeoutMs ?? deliveryTimeoutMsDefault,
    ),
  };
  if (settings.idempotent && acks !== "all") {
    throw argumentError("an idempotent producer needs acks: all");
  }
  // Asked so that what is no number is refused as well.
  if (!(settings.batchBytes > 0 && settings.batchBytes <= requestBytesMax)) {
    throw argumentError(`batchBytes must be from 1 to ${requestBytesMax}`);
  }
  if (!(settings.bufferedBytes > 0)) throw argumentError("bufferedBytes must be above 0");
  if (!(settings.lingerMs >= 0 && settings.lingerMs <= timerMsMax)) {
    throw argumentError(`lingerMs must be from 0 to ${timerMsMax}`);
  }
  if (!(settings.deliveryTimeoutMs >= 1 && settings.deliveryTimeoutMs <= timerMsMax)) {
    throw argumentError(`deliveryTimeoutMs must be from 1 to ${timerMsMax}`);
  }
  return settings;
}
