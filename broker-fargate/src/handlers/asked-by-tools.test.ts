/** What administration tools ask for before they do anything, and what is never the case here. */
import { ErrorCode } from "@millrace/wire";
import { describe, expect, it } from "vitest";
import { type AdminTest, contextOf, openAdminTest } from "../../../test/fixtures/admin-client.ts";
import { createTopicsHandler } from "./19-create-topics.ts";
import { describeAclsHandler } from "./29-describe-acls.ts";
import { createAclsHandler } from "./30-create-acls.ts";
import { deleteAclsHandler } from "./31-delete-acls.ts";
import { electLeadersHandler } from "./43-elect-leaders.ts";
import { listPartitionReassignmentsHandler } from "./46-list-partition-reassignments.ts";
import { consumerGroupHeartbeatHandler } from "./68-consumer-group-heartbeat.ts";
import { listConfigResourcesHandler } from "./74-list-config-resources.ts";

const type = { preferred: 0, unclean: 1 } as const;

async function withTopic(name: string, numPartitions: number): Promise<AdminTest> {
  const test = await openAdminTest();
  const topic = { name, numPartitions, replicationFactor: 1, assignments: [], configs: [] };
  const request = { topics: [topic], timeoutMs: 1000, validateOnly: false };
  const { topics } = await test.ask(createTopicsHandler, request);
  expect(topics).toMatchObject([{ errorCode: ErrorCode.NONE }]);
  return test;
}

describe("ElectLeaders", () => {
  it.each([0, 1, 2])("says of each partition once that none is needed: v%i", async (version) => {
    const { ask } = await withTopic("t", 2);
    const topicPartitions = [
      { topic: "t", partitions: [0, 1, 0] },
      { topic: "t", partitions: [1] },
    ];
    const request = { electionType: type.preferred, topicPartitions, timeoutMs: 1000 };
    const { errorCode, replicaElectionResults } = await ask(electLeadersHandler, request, version);
    const not = { errorCode: ErrorCode.ELECTION_NOT_NEEDED, errorMessage: null };
    expect(errorCode).toBe(ErrorCode.NONE);
    expect(replicaElectionResults).toEqual([
      {
        topic: "t",
        partitionResult: [
          { partitionId: 0, ...not },
          { partitionId: 1, ...not },
        ],
      },
    ]);
  });

  it("names topics and partitions that there are not", async () => {
    const { ask } = await withTopic("t", 1);
    const topicPartitions = [
      { topic: "t", partitions: [1, -1] },
      { topic: "nowhere", partitions: [0] },
    ];
    const request = { electionType: type.unclean, topicPartitions, timeoutMs: 1000 };
    const { replicaElectionResults } = await ask(electLeadersHandler, request);
    const errorCode = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    expect(replicaElectionResults).toMatchObject([
      { topic: "t", partitionResult: [{ partitionId: 1, errorCode }, { errorCode }] },
      { topic: "nowhere", partitionResult: [{ partitionId: 0, errorCode }] },
    ]);
  });

  it("tells nothing of partitions that nobody named", async () => {
    const { ask } = await withTopic("t", 1);
    const request = { electionType: type.preferred, topicPartitions: null, timeoutMs: 1000 };
    const answer = await ask(electLeadersHandler, request);
    expect(answer).toMatchObject({ errorCode: ErrorCode.NONE, replicaElectionResults: [] });
  });

  it("knows no third kind of election", async () => {
    const { ask } = await openAdminTest();
    const request = { electionType: 2, topicPartitions: null, timeoutMs: 1000 };
    const { errorCode } = await ask(electLeadersHandler, request);
    expect(errorCode).toBe(ErrorCode.INVALID_REQUEST);
  });
});

describe("ACLs", () => {
  const any = { resourceNameFilter: null, principalFilter: null, hostFilter: null };
  const filter = { ...any, resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1 };
  const errorCode = ErrorCode.SECURITY_DISABLED;

  it("are said to be disabled to who asks for them", async () => {
    const request = { ...filter, permissionType: 1 };
    const answer = await describeAclsHandler().handle(request, contextOf(3));
    expect(answer).toMatchObject({ errorCode, resources: [] });
  });

  it("are refused one by one to who makes or deletes them", async () => {
    const pattern = { resourceType: 2, resourceName: "t", resourcePatternType: 3 };
    const acl = { ...pattern, principal: "User:a", host: "*", operation: 3, permissionType: 3 };
    const made = await createAclsHandler().handle({ creations: [acl, acl] }, contextOf(3));
    expect(made).toMatchObject({ results: [{ errorCode }, { errorCode }] });
    const filters = [{ ...filter, permissionType: 1 }];
    const deleted = await deleteAclsHandler().handle({ filters }, contextOf(3));
    expect(deleted).toMatchObject({ filterResults: [{ errorCode, matchingAcls: [] }] });
  });
});

it("no reassignment is ever listed, of all partitions or of some", async () => {
  for (const topics of [null, [{ name: "t", partitionIndexes: [0] }]]) {
    const request = { timeoutMs: 1000, topics };
    const answer = await listPartitionReassignmentsHandler().handle(request, contextOf(0));
    expect(answer).toMatchObject({ errorCode: ErrorCode.NONE, errorMessage: null, topics: [] });
  }
});

describe("ListConfigResources", () => {
  const view = { endpoints: () => [{ brokerId: 3, host: "h", port: 1, rack: undefined }] };

  async function list(resourceTypes: readonly number[], version = 1): Promise<unknown> {
    const { cluster } = await withTopic("t", 1);
    const handler = listConfigResourcesHandler({ cluster, view } as never);
    const answer = await handler.handle({ resourceTypes }, contextOf(version));
    const { errorCode, configResources } = answer ?? { errorCode: -1, configResources: [] };
    const own = configResources.filter(({ resourceName }) => !resourceName.startsWith("__"));
    return [errorCode, own.map((one) => [one.resourceType, one.resourceName])];
  }

  it("lists topics and brokers, all or those of the types that are asked", async () => {
    expect(await list([])).toEqual([
      ErrorCode.NONE,
      [
        [2, "t"],
        [4, "3"],
      ],
    ]);
    expect(await list([4, 4])).toEqual([ErrorCode.NONE, [[4, "3"]]]);
  });

  it("lists no groups, loggers or client metrics, which is all that version 0 asks for", async () => {
    expect(await list([8, 16, 32])).toEqual([ErrorCode.NONE, []]);
    expect(await list([], 0)).toEqual([ErrorCode.NONE, []]);
  });

  it("refuses a type that there is not, as Kafka does", async () => {
    expect(await list([2, 7])).toEqual([ErrorCode.UNSUPPORTED_VERSION, []]);
  });
});

describe("ConsumerGroupHeartbeat", () => {
  it.each([0, 1])("is listed, and says that its protocol is not served: v%i", async (version) => {
    const { ask } = await openAdminTest();
    const request = {
      groupId: "g",
      memberId: "m",
      memberEpoch: 0,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: 1000,
      subscribedTopicNames: ["t"],
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: null,
    };
    const { errorCode, assignment } = await ask(consumerGroupHeartbeatHandler, request, version);
    expect({ errorCode, assignment }).toEqual({
      errorCode: ErrorCode.UNSUPPORTED_VERSION,
      assignment: null,
    });
  });
});
