/** A closed segment, as the grouping sees it. */
export interface GroupedSegment {
  readonly baseOffset: number;
  /** Where the next segment begins. */
  readonly endOffset: number;
  readonly sizeBytes: number;
  readonly indexBytes: number;
}

export interface GroupBounds {
  readonly segmentBytes: number;
  readonly segmentIndexBytes: number;
  /** What the offsets of one segment may span. */
  readonly offsetSpanMax: number;
}

/**
 * Segments that one round makes into one each, so that many small ones do not stay: neighbours, as
 * long as all of them together, as they are now, fit into the bounds of a segment (Kafka's rule).
 * An empty one always fits: else a log would keep one for each span of offsets that it ever had.
 */
export function groupSegments<Segment extends GroupedSegment>(
  segments: readonly Segment[],
  bounds: GroupBounds,
): readonly (readonly Segment[])[] {
  const groups: Segment[][] = [];
  let group: Segment[] = [];
  let sizeBytes = 0;
  let indexBytes = 0;
  for (const segment of segments) {
    const first = group[0];
    const fits =
      first !== undefined &&
      sizeBytes + segment.sizeBytes <= bounds.segmentBytes &&
      indexBytes + segment.indexBytes <= bounds.segmentIndexBytes &&
      (segment.sizeBytes === 0 || segment.endOffset - 1 - first.baseOffset <= bounds.offsetSpanMax);
    if (!fits) {
      group = [];
      groups.push(group);
      sizeBytes = 0;
      indexBytes = 0;
    }
    group.push(segment);
    sizeBytes += segment.sizeBytes;
    indexBytes += segment.indexBytes;
  }
  return groups;
}
