import type { TlsOptions } from "node:tls";
import type { AdvertisedListener } from "../handlers/handler.ts";
import type { ListenerAddress, ListenerAddresses } from "../listener-address.ts";
import type { OpenBroker } from "../open-broker.ts";
import { listen, type Listener } from "./listener.ts";
import type { ServerLog } from "./log.ts";
import { makeFirstAdmin } from "./sasl/first-admin.ts";
import { listenerAccess } from "./sasl/listener-access.ts";
import { Server } from "./server.ts";

/** Opens every listener of an open broker, after its first admin is there. Rejects as `listen` does. */
export async function openListeners(
  { broker, dispatcher }: Pick<OpenBroker, "broker" | "dispatcher">,
  how: {
    readonly addresses: ListenerAddresses;
    /** Of the listeners that encrypt. */
    readonly tls: ReadonlyMap<string, TlsOptions>;
    readonly log: ServerLog;
  },
): Promise<{ readonly server: Server; readonly listeners: readonly Listener[] }> {
  const { buffers, clock, metrics, settings } = broker;
  const { addresses, log, tls } = how;
  const { admin } = settings;
  if (admin !== undefined && (await makeFirstAdmin(broker, admin)) === "made") {
    log.info({ user: admin.user }, "made the first admin");
  }
  const server = new Server({ dispatcher, clock, log, metrics, buffers, settings });
  const access = listenerAccess(broker, tls);
  const listeners: Listener[] = [];
  for (const address of addresses.bind) {
    const { host, name, port } = address;
    const advertise = (bound: { readonly port: number }): AdvertisedListener =>
      advertisedOf({ ...address, port: bound.port }, addresses.advertised);
    const own = access.get(name);
    listeners.push(
      await listen({
        host,
        port,
        server,
        advertise,
        ...(own === undefined ? {} : { access: own }),
      }),
    );
  }
  return { server, listeners };
}

/** A member tells it before it listens, so its port has to be a fixed one. */
export function advertisedOf(
  address: ListenerAddress,
  advertised: ReadonlyMap<string, ListenerAddress>,
): AdvertisedListener {
  const { host = "localhost", name, port } = advertised.get(address.name) ?? address;
  return { name, host, port };
}
