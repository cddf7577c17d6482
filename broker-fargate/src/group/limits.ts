import { assert, itemBytesMax, transactWritesMax } from "@millrace/core";

/** Bounds of the group coordinator. Reaching one is a named outcome. */

/**
 * Offset writes of one slot start at most this often, so that commits within it are one write;
 * those of one connection alone, which come one after another, as often as they are answered.
 */
export const offsetLingerMs = 10;

/** A store transaction's most bytes here: below DynamoDB's 4 MB. */
export const batchBytesMax = 3_500_000;

/** A store transaction's most items under a slot; one more is the condition on the head. */
export const batchItemsMax = 99;

/** Blocks of offsets that one part of a commit may touch; a part is written whole or not. */
export const partBlocksMax = 48;

/** From so many bytes of its blocks on, as JSON, a part of a commit takes no more. */
export const partBytesMax = 1_500_000;

/** A group's id, as JSON: whatever 32,767 bytes may be, but for thousands of control characters. */
export const groupIdBytesMax = 33_000;

/** What a group's first item has beside members, as JSON: ids of group and leader, protocols. */
export const groupHeadBytesMax = 46_000;

/**
 * What one member may bring in ids and protocols, and, apart from that, in its assignment: texts as
 * JSON, everything else as it is.
 */
export const memberBytesMax = 120_000;
export const assignmentBytesMax = 100_000;

/** What a group's members may bring together: it is written in one transaction. */
export const groupBytesMax = 2_400_000;

/** Where a group's members go on in a further item. One member more still fits in an item. */
export const groupItemBytes = 40_000;

/** Longest name in a key before it is replaced by its hash, in bytes. */
export const keyNameBytesMax = 900;

/** An unchanged commit is written again once what is written is this part of the retention old. */
export const commitRefreshParts = 8;

/** Slots with groups that are opened at once. */
export const slotsOpeningMax = 16;

/** How long after it was lost a slot is loaded again without being asked for. */
export const slotReopenMs = 1_000;

/** Base64 makes three bytes four. */
const encodedParts = 4 / 3;
/** Names and numbers of an item's fields. */
const fieldBytes = 600;
/** The largest block has one offset, with as much metadata as a text of the protocol can be. */
const blockBytesMost = groupIdBytesMax + 6 * 32_767 + fieldBytes;
assert(batchItemsMax + 1 <= transactWritesMax, "a batch and its condition are one transaction");
assert(
  groupItemBytes +
    (memberBytesMax + assignmentBytesMax) * encodedParts +
    groupHeadBytesMax +
    fieldBytes <
    itemBytesMax,
  "a member fits in the item that it begins in",
);
assert(groupIdBytesMax < groupHeadBytesMax, "a group of the longest id can have members");
assert(blockBytesMost < itemBytesMax, "an offset with the most metadata fits in an item");
assert(partBytesMax + 2 * blockBytesMost < batchBytesMax, "a part of a commit is one transaction");
assert(
  (groupBytesMax * encodedParts) / groupItemBytes + 1 <= batchItemsMax,
  "a group is written in one transaction",
);
assert(groupBytesMax * encodedParts < batchBytesMax, "a group's bytes are, too");
assert(2 * partBlocksMax <= batchItemsMax, "its items are, too");
