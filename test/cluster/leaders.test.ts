import { describe, expect, it } from "vitest";
import { Leaders } from "./leaders.ts";

const zero = { cluster: null, controllerId: 1, clusterAuthorizedOperations: 0, throttleTimeMs: 0 };

function metadata(leaderId: number, leaderEpoch: number): Parameters<Leaders["learnMetadata"]>[0] {
  const partition = { errorCode: 0, partitionIndex: 0, leaderId, leaderEpoch };
  const replicas = { replicaNodes: [], isrNodes: [], offlineReplicas: [] };
  return {
    ...{ ...zero, clusterId: null, errorCode: 0 },
    brokers: [{ nodeId: leaderId, host: "127.0.0.1", port: 9_000 + leaderId, rack: null }],
    topics: [
      {
        ...{ errorCode: 0, name: "t", topicId: "AAAAAAAAAAAAAAAAAAAAAA" as never },
        ...{ isInternal: false, topicAuthorizedOperations: 0 },
        partitions: [{ ...partition, ...replicas }],
      },
    ],
  };
}

describe("leaders as a raw client knows them", () => {
  it("are those of Metadata, with their ports, unless it is older than what is known", () => {
    const leaders = new Leaders([9_001]);
    leaders.learnMetadata(metadata(2, 5));
    expect(leaders.of(0)).toEqual({ broker: 2, epoch: 5 });
    expect(leaders.portOf(2)).toBe(9_002);
    leaders.learnMetadata(metadata(1, 4));
    expect(leaders.of(0)?.broker).toBe(2);
    expect(leaders.ports).toEqual([9_001, 9_002]);
  });

  it("are those that a refusal names, which says whether that was new", () => {
    const leaders = new Leaders([9_001]);
    const node = { nodeId: 3, host: "127.0.0.1", port: 9_003, rack: null };
    expect(leaders.learnHint(0, { leaderId: 3, leaderEpoch: 7 }, [node])).toBe(true);
    expect(leaders.portOf(3)).toBe(9_003);
    expect(leaders.learnHint(0, { leaderId: 3, leaderEpoch: 7 }, [node])).toBe(false);
    expect(leaders.learnHint(0, { leaderId: -1, leaderEpoch: -1 }, [])).toBe(false);
    expect(leaders.of(0)).toEqual({ broker: 3, epoch: 7 });
  });
});
