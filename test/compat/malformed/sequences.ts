/**
 * What an idempotent producer might send, and does not as long as all goes well: batches again, out
 * of order, of an old epoch, and over the end of the sequence. Each story has a topic of its own.
 */

export interface SequencedBatch {
  readonly sequence: number;
  /** 1 by default. */
  readonly count?: number;
  /** 0 by default. */
  readonly epoch?: number;
  /** 1 by default. */
  readonly id?: number;
}

export interface Story {
  readonly name: string;
  readonly configs?: Readonly<Record<string, string>>;
  readonly steps: readonly (SequencedBatch | { readonly deleteTo: number })[];
}

const LAST = 0x7fffffff;

function inOrder(from: number, to: number): readonly SequencedBatch[] {
  return Array.from({ length: to - from }, (_, index) => ({ sequence: from + index }));
}

export const sequenceStories: readonly Story[] = [
  { name: "window-of-five", steps: [...inOrder(0, 8), ...inOrder(0, 9), ...inOrder(3, 9)] },
  { name: "unknown-producer-begins-anywhere", steps: [{ sequence: 5 }, ...inOrder(4, 8)] },
  {
    name: "gap",
    steps: [{ sequence: 0 }, { sequence: 2 }, { sequence: 1 }, { sequence: 2 }, { sequence: 4 }],
  },
  {
    name: "batches-that-overlap",
    steps: [
      { sequence: 0, count: 3 },
      { sequence: 1, count: 2 },
      { sequence: 0, count: 2 },
      { sequence: 0, count: 4 },
      { sequence: 0, count: 3 },
      { sequence: 2, count: 3 },
      { sequence: 3, count: 3 },
    ],
  },
  {
    name: "epochs",
    steps: [
      { sequence: 0 },
      { sequence: 1 },
      { sequence: 2, epoch: 1 },
      { sequence: 0, epoch: 1 },
      { sequence: 2 },
      { sequence: 1 },
      { sequence: 0, epoch: 1 },
      { sequence: 1, epoch: 1 },
      { sequence: 1, epoch: 5 },
      { sequence: 0, epoch: 5 },
      { sequence: 2, epoch: 1 },
      { sequence: 0, epoch: 32_767 },
      { sequence: 0, epoch: 5 },
    ],
  },
  {
    name: "end-of-the-sequence",
    steps: [
      { sequence: LAST - 1 },
      { sequence: LAST },
      { sequence: 1 },
      { sequence: 0 },
      { sequence: LAST },
      { sequence: 1 },
      { id: 2, sequence: LAST - 1, count: 4 },
      { id: 2, sequence: LAST - 1, count: 4 },
      { id: 2, sequence: 1 },
      { id: 2, sequence: 2 },
    ],
  },
  {
    name: "producers-apart",
    steps: [
      { id: 1, sequence: 0 },
      { id: 2, sequence: 0 },
      { id: 1, sequence: 1 },
      { id: 2, sequence: 0 },
      { id: 2, sequence: 2 },
      { id: 1, sequence: 1 },
    ],
  },
  {
    name: "deleted-records",
    steps: [
      ...inOrder(0, 3),
      { deleteTo: 2 },
      { sequence: 0 },
      { deleteTo: -1 },
      { sequence: 2 },
      { sequence: 1 },
      { sequence: 5 },
      { sequence: 3 },
      { deleteTo: 9 },
      { deleteTo: -2 },
    ],
  },
  {
    name: "append-time",
    configs: { "message.timestamp.type": "LogAppendTime" },
    steps: [...inOrder(0, 3), ...inOrder(0, 3), { sequence: 4 }],
  },
];
