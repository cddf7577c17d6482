/**
 * @platformatic/kafka against a broker: prints the transcript that test/compat/scenarios.md
 * describes.
 */
import { Admin } from "@platformatic/kafka";
import { cluster, configs, topics } from "./admin.mjs";
import { groupAdmin, handover, staticMembers } from "./groups.mjs";
import { codecs, errors, idempotent, records, seek, timestamps } from "./records.mjs";
import { runScenarios } from "./transcript.mjs";

const [bootstrap, prefix] = process.argv.slice(2);
const connection = {
  clientId: "member",
  bootstrapBrokers: [bootstrap],
  retries: 5,
  retryDelay: 100,
};
const admin = new Admin(connection);
await runScenarios(
  {
    cluster,
    topics,
    configs,
    codecs,
    records,
    timestamps,
    seek,
    idempotent,
    "group-roundrobin": (session) => handover(session, "roundrobin"),
    "group-cooperative-sticky": (session) => handover(session, "cooperative-sticky"),
    static: staticMembers,
    "group-admin": groupAdmin,
    errors,
  },
  { connection, admin, prefix, name: (suffix) => `${prefix}${suffix}` },
);
await admin.close();
// A scenario that failed may have left a client open.
process.exit();
