import type { AdvertisedListener, ConnectionContext } from "../handlers/handler.ts";
import type { SaslSession } from "./sasl/sasl-session.ts";

const anonymous = "User:ANONYMOUS";

/** What handlers see of a connection, and the other end of it, which says when it is gone. */
export interface OwnedContext {
  readonly context: ConnectionContext;
  /** Nothing more of the client is read. Calls the end listeners, once each. */
  end(): void;
  /** Calls the close listeners, once each. What they throw goes to `failed`. */
  close(failed: (error: unknown) => void): void;
}

export function connectionContext(peer: {
  readonly id: string;
  readonly clientHost: string;
  readonly listener: AdvertisedListener;
  readonly principal?: string;
  readonly sasl?: SaslSession;
}): OwnedContext {
  const endListeners = new Set<() => void>();
  const closeListeners = new Set<() => void>();
  let isEnding = false;
  return {
    context: {
      id: peer.id,
      clientHost: peer.clientHost,
      listener: peer.listener,
      clientSoftware: undefined,
      get principal() {
        const user = peer.sasl?.login?.user;
        return user === undefined ? (peer.principal ?? anonymous) : `User:${user}`;
      },
      ...(peer.sasl === undefined ? {} : { sasl: peer.sasl }),
      isEnding: () => isEnding,
      onEnd: (endListener) => listen(endListeners, endListener),
      onClose: (closeListener) => listen(closeListeners, closeListener),
    },
    end: () => {
      isEnding = true;
      for (const endListener of endListeners) {
        endListeners.delete(endListener);
        endListener();
      }
    },
    close: (failed) => {
      // Who begins to wait only now is told here: no listener is called any more.
      isEnding = true;
      for (const closeListener of closeListeners) {
        closeListeners.delete(closeListener);
        try {
          closeListener();
        } catch (error) {
          failed(error);
        }
      }
    },
  };
}

function listen(listeners: Set<() => void>, listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
