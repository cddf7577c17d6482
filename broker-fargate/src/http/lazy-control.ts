import type { TlsOptions } from "node:tls";
import type { MetadataStore } from "@millrace/core";
import type { Logger } from "pino";
import type { Life } from "../lives.ts";
import type { Configuration } from "../open-broker.ts";
import type { ControlFetch } from "./app.ts";
import { problem, problemResponse } from "./problem.ts";

/** What the process serves by now: nothing, until its first life has begun. */
export interface Serving {
  life?: Life;
  store?: MetadataStore;
}

/**
 * The control plane of the broker's own cluster. It is loaded, with all that it needs, by the first
 * request for it: a start, and a broker that nobody asks, are as if it were not there.
 */
export function lazyControl(at: {
  readonly serving: Readonly<Serving>;
  readonly configuration: Configuration;
  readonly tls: ReadonlyMap<string, TlsOptions>;
  readonly log: Logger;
}): () => Promise<ControlFetch> {
  const { configuration, log, serving, tls } = at;
  let opening: Promise<ControlFetch> | undefined;
  const open = async (begun: Life, store: MetadataStore): Promise<ControlFetch> => {
    const { openOwnControl } = await import("./control/own-control.ts");
    const { clock, hashing, random } = begun.opened.broker;
    const life = (): Life => serving.life ?? begun;
    return openOwnControl({
      ...{ configuration, tls, ports: { clock, hashing, random, store } },
      life: () => ({ listeners: life().listeners, broker: life().opened.broker }),
      failed: (error, requestId) =>
        log.error({ err: error, requestId }, "the control plane failed"),
    });
  };
  return () => {
    const { life, store } = serving;
    if (life === undefined || store === undefined) return Promise.resolve(notBegun);
    return (opening ??= open(life, store));
  };
}

const notBegun: ControlFetch = (request) => {
  const instance = new URL(request.url).pathname;
  return problemResponse(problem(503, { detail: "the broker is starting", instance }));
};
