import { DecodeError, decodeConsumerProtocolSubscription, Reader } from "@millrace/wire";

/**
 * The topics in a consumer's JoinGroup metadata: a version, then a subscription, whose first field
 * they are in every version. Undefined where the bytes are not that.
 */
export function subscribedTopics(metadata: Uint8Array): readonly string[] | undefined {
  try {
    const reader = new Reader(metadata);
    if (reader.int16() < 0) return undefined;
    return decodeConsumerProtocolSubscription(reader, 0).topics;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
