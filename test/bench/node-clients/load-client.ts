/**
 * What a Node client has to do in the bench. Each client does it in the way that its own documents
 * show for a lot of records, with settings that suit it; the values are bytes, so that no serializer
 * is compared.
 */

export interface ProduceWork {
  readonly bootstrap: string;
  readonly topic: string;
  readonly value: Buffer;
}

/** A producer that is connected; acks=all. */
export interface LoadProducer {
  /** Resolves when every one of so many records is acknowledged. */
  readonly produce: (recordCount: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface ConsumeWork {
  readonly bootstrap: string;
  readonly topic: string;
  readonly group: string;
  readonly recordCount: number;
  /** Told of every record, in the order in which the client hands them out. */
  readonly take: (value: Uint8Array | null) => void;
}

export interface LoadClient {
  readonly openProducer: (work: ProduceWork) => Promise<LoadProducer>;
  /** One member of a group of its own, from the earliest offset; resolves after so many records. */
  readonly consume: (work: ConsumeWork) => Promise<void>;
}

/** For clients that are handed arrays: as many bytes as a request of the SDK may have. */
export const sendBytes: number = 1024 * 1024;
export const sendsInFlight = 5;

/** Sends arrays of records, a few at a time, until `recordCount` records are acknowledged. */
export async function sendInTurns(
  recordCount: number,
  recordBytes: number,
  send: (count: number) => Promise<unknown>,
): Promise<void> {
  const perSend = Math.max(1, Math.floor(sendBytes / recordBytes));
  let left = recordCount;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      const count = Math.min(perSend, left);
      left -= count;
      await send(count);
    }
  };
  await Promise.all(Array.from({ length: sendsInFlight }, lane));
}
