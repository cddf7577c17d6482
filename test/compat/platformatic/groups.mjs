/**
 * Groups of the classic protocol: handover between members, static members, and what the admin
 * client sees.
 */
import { Consumer, cooperativeStickyAssigner, roundRobinAssigner } from "@platformatic/kafka";
import { createTopic, produceNumbered } from "./records.mjs";
import { attempt, emit, text, until } from "./transcript.mjs";

const PARTITIONS = 5;
const ASSIGNERS = {
  roundrobin: roundRobinAssigner,
  "cooperative-sticky": cooperativeStickyAssigner,
};

/** A member that commits on its own, and knows its partitions and how often it joined. */
async function join({ connection }, groupId, topic, options = {}) {
  const { assignor = "roundrobin", ...overrides } = options;
  const consumer = new Consumer({
    ...connection,
    groupId,
    heartbeatInterval: 200,
    rebalanceTimeout: 10_000,
    sessionTimeout: 10_000,
    maxWaitTime: 100,
    protocols: [{ name: assignor, version: 1 }],
    partitionAssigner: ASSIGNERS[assignor],
    ...overrides,
  });
  const member = { consumer, values: [], failure: undefined, joins: 0 };
  consumer.on("consumer:group:join", () => {
    member.joins += 1;
  });
  member.partitions = () =>
    (consumer.assignments ?? []).flatMap(({ partitions }) => partitions).sort();
  member.stream = await consumer.consume({
    topics: [topic],
    mode: "committed",
    fallbackMode: "earliest",
    autocommit: 100,
  });
  member.stream.on("data", (message) => member.values.push(text(message.value)));
  member.stream.on("error", (error) => {
    member.failure = error;
  });
  return member;
}

async function leave(member) {
  await member.stream.close();
  await member.consumer.close();
}

export async function handover(session, assignor) {
  const at = `group-${assignor}`;
  const topic = session.name(at);
  await createTopic(session, topic, PARTITIONS);
  await produceNumbered(session, topic, { partitions: PARTITIONS, from: 0, to: 60 });
  const first = await join(session, topic, topic, { assignor });
  await settled(session, topic, 60, [first]);
  emit(`${at}/one-member`, { partitions: first.partitions().length });
  const second = await join(session, topic, topic, { assignor });
  const both = () => [...first.partitions(), ...second.partitions()].sort().join();
  await until("both members", () => both() === "0,1,2,3,4" && second.partitions().length > 0);
  await oldFetchesEnd();
  await produceNumbered(session, topic, { partitions: PARTITIONS, from: 60, to: 100 });
  await settled(session, topic, 100, [first, second]);
  emit(`${at}/two-members`, {
    partitions: [first.partitions().length, second.partitions().length].sort(),
  });
  await leave(second);
  await until("one member again", () => first.partitions().length === PARTITIONS);
  await produceNumbered(session, topic, { partitions: PARTITIONS, from: 100, to: 120 });
  await settled(session, topic, 120, [first, second]);
  emit(`${at}/one-member-again`, { partitions: first.partitions().length });
  await leave(first);
  const values = [...first.values, ...second.values];
  // Not how many came: this client may deliver again what it had in flight when a partition moves,
  // from Apache Kafka as well.
  emit(`${at}/handover`, { distinct: new Set(values).size });
  await produceNumbered(session, topic, { partitions: PARTITIONS, from: 120, to: 125 });
  const fresh = await join(session, topic, topic, { assignor });
  await until("the records after the commit", () => fresh.values.length >= 5);
  emit(`${at}/resumed`, { values: fresh.values.sort() });
  await leave(fresh);
}

/**
 * Lets fetches of the time before a rebalance come back empty: this client hands on what they
 * bring, also from partitions that it no longer has.
 */
function oldFetchesEnd() {
  return new Promise((resolve) => setTimeout(resolve, 300));
}

/** All records were consumed and their offsets committed. */
async function settled({ admin }, groupId, total, members) {
  await until(`${total} records`, async () => {
    const failed = members.find(({ failure }) => failure !== undefined);
    if (failed !== undefined) throw failed.failure;
    if (members.reduce((sum, { values }) => sum + values.length, 0) < total) return false;
    const [group] = await admin.listConsumerGroupOffsets({ groups: [groupId] });
    const partitions = group.topics.flatMap((topic) => topic.partitions);
    return (
      partitions.reduce((sum, { committedOffset }) => sum + Number(committedOffset), 0) === total
    );
  });
}

export async function staticMembers(session) {
  const topic = session.name("static");
  await createTopic(session, topic, 4);
  const one = await join(session, topic, topic, { groupInstanceId: "one" });
  const two = await join(session, topic, topic, { groupInstanceId: "two" });
  await until("both members", () => one.partitions().length === 2 && two.partitions().length === 2);
  const described = await session.admin.describeGroups({ groups: [topic] });
  const members = [...described.get(topic).members.values()];
  emit("static/joined", {
    instances: members.map(({ groupInstanceId }) => groupInstanceId).sort(),
  });
  await leave(two);
  await until("one member", () => one.partitions().length === 4);
  emit("static/left", { partitions: one.partitions() });
  await leave(one);
}

export async function groupAdmin(session) {
  const { admin, name } = session;
  const topic = name("group-admin");
  const other = name("group-other");
  await createTopic(session, topic, 1);
  await createTopic(session, other, 1);
  await produceNumbered(session, topic, { partitions: 1, from: 0, to: 5 });
  await emitGroup(session, "unknown");
  const member = await join(session, topic, topic);
  await settled(session, topic, 5, [member]);
  await emitGroup(session, "with-member");
  await emitOffsets(session, "group-admin/offsets");
  const deleteOffsets = (at, target) =>
    attempt(`group-admin/${at}`, () =>
      admin.deleteConsumerGroupOffsets({
        groupId: topic,
        topics: [{ name: target, partitionIndexes: [0] }],
      }),
    );
  await deleteOffsets("delete-offsets-of-subscribed", topic);
  await attempt("group-admin/alter-offsets-with-member", () => alterOffsets(session, topic));
  await attempt("group-admin/delete-with-member", () => admin.deleteGroups({ groups: [topic] }));
  await leave(member);
  await emitGroup(session, "empty");
  await attempt("group-admin/alter-offsets", () => alterOffsets(session, topic));
  await attempt("group-admin/alter-offsets-of-other", () => alterOffsets(session, other));
  await emitOffsets(session, "group-admin/offsets-altered");
  await deleteOffsets("delete-offsets", other);
  await emitOffsets(session, "group-admin/offsets-deleted");
  await attempt("group-admin/delete", () => admin.deleteGroups({ groups: [topic] }));
  await attempt("group-admin/delete-again", () => admin.deleteGroups({ groups: [topic] }));
  await emitGroup(session, "deleted");
}

function alterOffsets({ admin, name }, topic) {
  const partitionOffsets = [{ partition: 0, offset: 1n }];
  return admin.alterConsumerGroupOffsets({
    groupId: name("group-admin"),
    topics: [{ name: topic, partitionOffsets }],
  });
}

async function emitOffsets({ admin, name }, at) {
  await attempt(at, async () => {
    const [group] = await admin.listConsumerGroupOffsets({ groups: [name("group-admin")] });
    return group.topics
      .flatMap((topic) =>
        topic.partitions.map(({ partitionIndex, committedOffset, metadata }) => [
          topic.name,
          partitionIndex,
          committedOffset,
          metadata,
        ]),
      )
      .sort();
  });
}

async function emitGroup({ admin, name }, step) {
  const group = name("group-admin");
  const listed = await admin.listGroups({});
  emit(`group-admin/list-${step}`, { group: listed.get(group) ?? null });
  await attempt(`group-admin/describe-${step}`, async () => {
    const described = (await admin.describeGroups({ groups: [group] })).get(group);
    const { state, protocolType, protocol, members } = described;
    return {
      state,
      protocolType,
      protocol,
      members: [...members.values()].map(({ clientId, clientHost }) => [clientId, clientHost]),
    };
  });
}
