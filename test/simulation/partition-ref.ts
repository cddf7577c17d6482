/** A partition as clients know it. */
export interface PartitionRef {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

export function nameOf({ topicId, partition }: PartitionRef): string {
  return `${topicId}/${partition}`;
}
