import type { AdvertisedListener, ConnectionContext } from "../handlers/handler.ts";

/** What handlers see of a connection, and the other end of it, which says when it is gone. */
export interface OwnedContext {
  readonly context: ConnectionContext;
  /** Calls the close listeners, once each. What they throw goes to `failed`. */
  close(failed: (error: unknown) => void): void;
}

export function connectionContext(peer: {
  readonly id: string;
  readonly clientHost: string;
  readonly listener: AdvertisedListener;
}): OwnedContext {
  const closeListeners = new Set<() => void>();
  return {
    context: {
      id: peer.id,
      clientHost: peer.clientHost,
      listener: peer.listener,
      clientSoftware: undefined,
      onClose: (closeListener) => {
        closeListeners.add(closeListener);
        return () => closeListeners.delete(closeListener);
      },
    },
    close: (failed) => {
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
