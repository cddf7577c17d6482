import { type Cluster, connect, type ControlPlane, type MillraceClient } from "@millrace/sdk";
import { startProgress } from "./progress.ts";

/** Asks for a cluster of one small broker, and waits until it is there. */
export async function createCluster(control: ControlPlane, name: string): Promise<Cluster> {
  const made = await control.clusters.create({
    name,
    brokers: 1,
    brokerSize: { cpu: 256, memoryMiB: 512 },
    deletionProtection: false,
  });
  let bar: ReturnType<typeof startProgress> | undefined;
  let done = 0;
  try {
    const cluster = await control.clusters.settled(made.id, {
      onProgress: ({ step, stepsDone, stepsTotal }) => {
        bar ??= startProgress(`cluster ${name}`, stepsTotal);
        bar.advance(stepsDone - done, `cluster ${name}: ${step}`);
        done = stepsDone;
      },
    });
    bar?.done();
    console.log(`cluster ${name} is ${cluster.state}`);
    return cluster;
  } catch (error) {
    bar?.done();
    await deleteCluster(control, made);
    throw error;
  }
}

/** Makes a credential, whose secret is shown this once, and a client that logs in with it. */
export async function connectTo(control: ControlPlane, clusterId: string): Promise<MillraceClient> {
  const cluster = control.cluster(clusterId);
  const { username, secret } = await cluster.credentials.create({ name: "pipeline" });
  const { bootstrapServers, caCertificate } = await cluster.connection();
  return connect({
    brokers: bootstrapServers,
    tls: caCertificate === undefined ? true : { ca: caCertificate },
    sasl: { mechanism: "SCRAM-SHA-512", username, password: secret },
  });
}

export async function deleteCluster(control: ControlPlane, { id, name }: Cluster): Promise<void> {
  const { operation } = await control.clusters.delete(id);
  if (operation !== undefined) await control.operations.wait(operation);
  console.log(`cluster ${name} is deleted`);
}
