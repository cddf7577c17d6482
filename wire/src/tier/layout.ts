/**
 * Byte positions in the objects of the cold tier, format 1. All numbers are big endian.
 *
 * An *image* is one contiguous range of a partition's batches:
 *
 *     batches         verbatim, from byte 0
 *     index           16 bytes per entry
 *     leader epochs   12 bytes per entry
 *     producers       the producers' state as of the image's end; may be empty
 *     footer          112 bytes
 *
 * A *checkpoint* is one object of an incarnation:
 *
 *     images          one after another, each with its own footer
 *     slot sections   one after another: where the packed parts of each partition of a slot lie
 *     index           32 bytes per slot of the incarnation
 *     footer          112 bytes
 *
 * Whoever reads one begins at its end. Both footers therefore end alike, in every version: version,
 * bytes of the footer, CRC-32C of the footer up to there, magic. The footer's CRC is checked before
 * any length in it is believed; it covers the CRCs of the parts before it.
 */
export const FORMAT_VERSION = 1;

/** Counted from the footer's end. */
export const END_VERSION_BEFORE = 12;
export const END_FOOTER_BYTES_BEFORE = 10;
export const END_CRC_BEFORE = 8;
export const END_MAGIC_BEFORE = 4;
export const END_BYTES = 12;

export const IMAGE_MAGIC = 0x4d_52_49_4d;
export const IMAGE_FOOTER_BYTES = 112;
export const IMAGE_TOPIC_ID_AT = 0;
export const IMAGE_PARTITION_AT = 16;
export const IMAGE_BATCHES_BYTES_AT = 20;
export const IMAGE_BASE_OFFSET_AT = 24;
export const IMAGE_NEXT_OFFSET_AT = 32;
export const IMAGE_MAX_TIMESTAMP_AT = 40;
export const IMAGE_MAX_TIMESTAMP_OFFSET_AT = 48;
export const IMAGE_RECORD_COUNT_AT = 56;
export const IMAGE_INDEX_BYTES_AT = 64;
export const IMAGE_EPOCHS_BYTES_AT = 68;
export const IMAGE_PRODUCERS_BYTES_AT = 72;
export const IMAGE_BATCHES_CRC_AT = 76;
export const IMAGE_SECTIONS_CRC_AT = 80;
export const IMAGE_NONCE_AT = 84;

export const INDEX_ENTRY_BYTES = 16;
export const INDEX_RELATIVE_OFFSET_AT = 0;
export const INDEX_POSITION_AT = 4;
export const INDEX_MAX_TIMESTAMP_BEFORE_AT = 8;

export const EPOCH_ENTRY_BYTES = 12;
export const EPOCH_AT = 0;
export const EPOCH_START_OFFSET_AT = 4;

export const CHECKPOINT_MAGIC = 0x4d_52_43_50;
export const CHECKPOINT_FOOTER_BYTES = 112;
/** ASCII, filled up with zeros. */
export const CHECKPOINT_INCARNATION_AT = 0;
export const CHECKPOINT_INCARNATION_BYTES = 48;
export const CHECKPOINT_NUMBER_AT = 48;
export const CHECKPOINT_IMAGES_BYTES_AT = 56;
export const CHECKPOINT_SECTIONS_BYTES_AT = 64;
export const CHECKPOINT_SLOT_COUNT_AT = 72;
export const CHECKPOINT_INDEX_CRC_AT = 76;
export const CHECKPOINT_NONCE_AT = 80;
/** Bytes 96 to 99 are zero in format 1. */

export const SLOT_ENTRY_BYTES = 32;
export const SLOT_ENTRY_SLOT_AT = 0;
export const SLOT_ENTRY_EPOCH_AT = 4;
export const SLOT_ENTRY_CHECKPOINT_AT = 8;
export const SLOT_ENTRY_POSITION_AT = 16;
export const SLOT_ENTRY_BYTES_AT = 24;
export const SLOT_ENTRY_CRC_AT = 28;

export const SECTION_HEADER_BYTES = 16;
export const SECTION_VERSION_AT = 0;
/** Bytes 2 and 3 are zero in format 1. */
export const SECTION_SLOT_AT = 4;
export const SECTION_EPOCH_AT = 8;
export const SECTION_PARTITION_COUNT_AT = 12;

export const SECTION_PARTITION_BYTES = 24;
export const SECTION_TOPIC_ID_AT = 0;
export const SECTION_PARTITION_AT = 16;
export const SECTION_PART_COUNT_AT = 20;

/** A part's leader epochs follow it, laid out as an image's. */
export const PART_BYTES = 52;
export const PART_CHECKPOINT_AT = 0;
export const PART_POSITION_AT = 8;
export const PART_BYTES_AT = 16;
export const PART_BATCHES_BYTES_AT = 20;
export const PART_BASE_OFFSET_AT = 24;
export const PART_NEXT_OFFSET_AT = 32;
export const PART_MAX_TIMESTAMP_AT = 40;
export const PART_EPOCH_COUNT_AT = 48;

/** Random bytes of an image's or a checkpoint's nonce. */
export const TIER_NONCE_BYTES = 16;
/** A reader with a checked index reads at most this, or one batch, to come to an offset. */
export const INDEX_INTERVAL_BYTES: number = 32 * 1024;
/** An image's most bytes of batches: far above what is written, far below what a uint32 carries. */
export const IMAGE_BATCHES_BYTES_MAX: number = 1 << 30;
/** An image's offsets reach at most this far above its base: index entries are relative to it. */
export const IMAGE_OFFSET_SPAN_MAX = 0xffff_ffff;
/** Index, leader epochs, producers and footer together, so that a wrong length fetches little. */
export const IMAGE_TAIL_BYTES_MAX: number = 1 << 28;
/** A slot section's most bytes. */
export const SLOT_SECTION_BYTES_MAX: number = 1 << 28;
/** The most slots that a checkpoint's index names. */
export const CHECKPOINT_SLOTS_MAX = 65_536;
/** What a reader asks for first, from an image's or a checkpoint's end: mostly enough. */
export const TAIL_READ_BYTES: number = 64 * 1024;
