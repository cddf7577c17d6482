/**
 * Groups of the classic protocol: handover between members, and what the admin client sees of a
 * group.
 */
import { createTopic, produceNumbered } from "./records.mjs";
import { attempt, emit, text, until } from "./transcript.mjs";

const PARTITIONS = 5;

/** A member that commits after every message, and knows the partitions of its last join. */
async function join({ kafka }, groupId, topic) {
  const consumer = kafka.consumer({
    groupId,
    heartbeatInterval: 200,
    maxWaitTimeInMs: 100,
    rebalanceTimeout: 10_000,
  });
  const member = { consumer, values: [], partitions: 0 };
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    member.partitions = (payload.memberAssignment[topic] ?? []).length;
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommitThreshold: 1,
    eachMessage: async ({ message }) => {
      member.values.push(text(message.value));
    },
  });
  return member;
}

export async function handover(session) {
  const at = "group-roundrobin";
  const topic = session.name(at);
  await createTopic(session, topic, PARTITIONS);
  await produceNumbered(session, topic, { partitions: PARTITIONS, from: 0, to: 60 });
  const first = await join(session, topic, topic);
  await settled(session, topic, 60, [first]);
  emit(`${at}/one-member`, { partitions: first.partitions });
  const second = await join(session, topic, topic);
  const counts = () => [first.partitions, second.partitions].sort();
  await until("both members", () => counts().join() === "2,3");
  await oldFetchesEnd();
  await produceNumbered(session, topic, { partitions: PARTITIONS, from: 60, to: 100 });
  await settled(session, topic, 100, [first, second]);
  emit(`${at}/two-members`, { partitions: counts() });
  await second.consumer.disconnect();
  await until("one member again", () => first.partitions === PARTITIONS);
  await produceNumbered(session, topic, { partitions: PARTITIONS, from: 100, to: 120 });
  await settled(session, topic, 120, [first, second]);
  emit(`${at}/one-member-again`, { partitions: first.partitions });
  await first.consumer.disconnect();
  const values = [...first.values, ...second.values];
  emit(`${at}/handover`, { records: values.length, distinct: new Set(values).size });
  await produceNumbered(session, topic, { partitions: PARTITIONS, from: 120, to: 125 });
  const fresh = await join(session, topic, topic);
  await until("the records after the commit", () => fresh.values.length >= 5);
  emit(`${at}/resumed`, { values: fresh.values.sort() });
  await fresh.consumer.disconnect();
}

/**
 * Lets fetches of the time before a rebalance come back empty: this client hands on what they
 * bring, also from partitions that it no longer has.
 */
function oldFetchesEnd() {
  return new Promise((resolve) => setTimeout(resolve, 300));
}

/** All records were consumed and their offsets committed. */
async function settled({ admin }, topic, total, members) {
  await until(`${total} records`, async () => {
    const consumed = members.reduce((sum, { values }) => sum + values.length, 0);
    if (consumed < total) return false;
    const [{ partitions }] = await admin.fetchOffsets({ groupId: topic, topics: [topic] });
    return partitions.reduce((sum, { offset }) => sum + Math.max(Number(offset), 0), 0) === total;
  });
}

export async function groupAdmin(session) {
  const { admin, name } = session;
  const topic = name("group-admin");
  await createTopic(session, topic, 1);
  await produceNumbered(session, topic, { partitions: 1, from: 0, to: 5 });
  const member = await join(session, topic, topic);
  await settled(session, topic, 5, [member]);
  await emitGroup(session, "with-member");
  await attempt("group-admin/delete-with-member", () => admin.deleteGroups([topic]));
  await attempt("group-admin/alter-offsets-with-member", () => alterOffsets(session, topic));
  await member.consumer.disconnect();
  await emitGroup(session, "empty");
  await attempt("group-admin/alter-offsets", () => alterOffsets(session, topic));
  emit("group-admin/offsets-altered", {
    offsets: await admin.fetchOffsets({ groupId: topic, topics: [topic] }),
  });
  await attempt("group-admin/delete", () => admin.deleteGroups([topic]));
  await attempt("group-admin/delete-again", () => admin.deleteGroups([topic]));
  await emitGroup(session, "deleted");
}

function alterOffsets({ admin }, topic) {
  return admin.setOffsets({ groupId: topic, topic, partitions: [{ partition: 0, offset: "1" }] });
}

async function emitGroup({ admin, name }, step) {
  const group = name("group-admin");
  const { groups: listed } = await admin.listGroups();
  emit(`group-admin/list-${step}`, { groups: listed.filter(({ groupId }) => groupId === group) });
  const { groups } = await admin.describeGroups([group]);
  emit(`group-admin/describe-${step}`, {
    groups: groups.map(({ errorCode, state, protocolType, protocol, members }) => ({
      errorCode,
      state,
      protocolType,
      protocol,
      members: members.map(({ clientId, clientHost }) => [clientId, clientHost]),
    })),
  });
}
