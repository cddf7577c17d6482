/**
 * Byte positions in a record batch of magic 2, from the start of the batch. All numbers are big
 * endian. The first five fields have the same place in the older message formats, so that their
 * magic can be read, and refused, before anything else is trusted.
 * Source: KIP-98 and the "Record Batch" section of the Kafka protocol documentation.
 */
export const BASE_OFFSET_AT = 0;
export const BATCH_LENGTH_AT = 8;
export const PARTITION_LEADER_EPOCH_AT = 12;
export const MAGIC_AT = 16;
export const CRC_AT = 17;
export const ATTRIBUTES_AT = 21;
export const LAST_OFFSET_DELTA_AT = 23;
export const BASE_TIMESTAMP_AT = 27;
export const MAX_TIMESTAMP_AT = 35;
export const PRODUCER_ID_AT = 43;
export const PRODUCER_EPOCH_AT = 51;
export const BASE_SEQUENCE_AT = 53;
export const RECORD_COUNT_AT = 57;
export const RECORDS_AT = 61;

/** The CRC covers everything from the attributes to the end of the batch. */
export const CRC_COVERS_FROM: number = ATTRIBUTES_AT;

/** Bytes that `batchLength` does not count: the base offset and the length itself. */
export const LENGTH_OVERHEAD_BYTES = 12;

/** Bytes of a batch's header, the least a batch of magic 2 can have. */
export const BATCH_HEADER_BYTES: number = RECORDS_AT;

/** The one record format that is served. */
export const MAGIC_V2 = 2;

/** Bits of the attributes. */
export const COMPRESSION_MASK = 0x07;
export const TIMESTAMP_TYPE_BIT = 0x08;
export const TRANSACTIONAL_BIT = 0x10;
export const CONTROL_BIT = 0x20;
export const DELETE_HORIZON_BIT = 0x40;

/** The least bytes of one record: seven fields, each of one byte. */
export const RECORD_BYTES_MIN = 7;

/** What the fields hold when there is no producer id, no sequence, no timestamp, no epoch. */
export const NO_PRODUCER_ID = -1;
export const NO_PRODUCER_EPOCH = -1;
export const NO_SEQUENCE = -1;
export const NO_TIMESTAMP = -1;
export const NO_PARTITION_LEADER_EPOCH = -1;
