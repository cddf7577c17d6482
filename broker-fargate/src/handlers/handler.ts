import type { ApiKey } from "@millrace/wire";

/** What a handler may know of the request besides its body. */
export interface RequestContext {
  readonly apiVersion: number;
  readonly clientId: string | null;
  readonly connection: ConnectionContext;
  /**
   * To be called, at most once, by a handler that knows that no view of the request's bytes is
   * left anywhere: their memory is used again at once. A handler that does not know says nothing.
   */
  frameIsFree(): void;
  /**
   * For a reply that holds views of memory that is used again: `listener` is called, at most once,
   * when the reply has been sent and its bytes may change. If it never is, it is never called.
   */
  whenReplySent(listener: () => void): void;
  readonly replyMemory: ReplyMemory;
}

/**
 * The memory of a reply that is made over several turns of the event loop. All replies together are
 * bounded by the server, which lets a request start when there is room; what goes on later asks.
 */
export interface ReplyMemory {
  /** False when the connection is gone: nobody gets the reply, and nothing need be read for it. */
  readonly isWanted: boolean;
  /** The reply holds so many bytes more. */
  grow(bytes: number): void;
  /** It holds none of them any more. */
  drop(): void;
  hasRoom(): boolean;
  /** Resolves when there is room, or the connection is gone. */
  room(): Promise<void>;
}

export interface ConnectionContext {
  /** Unique in this process; for logs. */
  readonly id: string;
  /** The peer's address, without its port. */
  readonly clientHost: string;
  readonly listener: AdvertisedListener;
  /** Who the client is, as it has proved: `User:alice`, or `User:ANONYMOUS`. */
  readonly principal: string;
  /** Absent: the listener's clients do not authenticate by SASL. */
  readonly sasl?: Sasl;
  /** From ApiVersions v3 on (KIP-511). */
  clientSoftware: { readonly name: string; readonly version: string } | undefined;
  /**
   * Whether nothing more of the client is read: it ended its side, or sent what is no frame. What
   * it asked is answered, but nobody waits for anything on its account: it may be gone.
   */
  isEnding(): boolean;
  /** Called once when that begins; returns how to take the listener back. */
  onEnd(listener: () => void): () => void;
  /** Called once when the connection is gone; returns how to take the listener back. */
  onClose(listener: () => void): () => void;
}

/** The authentication of one connection. Its end, where it fails, is its own affair. */
export interface Sasl {
  /** The client was told what is served. */
  versionsAnswered(): void;
  handshake(mechanism: string, version: number): Promise<HandshakeOutcome>;
  /** Rejects with CloseConnection where the connection ends without a reply. */
  authenticate(token: Uint8Array): Promise<AuthenticateOutcome>;
}

export type HandshakeOutcome =
  | { readonly kind: "accepted" | "unsupported"; readonly mechanisms: readonly string[] }
  | { readonly kind: "illegal" };

export type AuthenticateOutcome =
  | { readonly kind: "continue"; readonly token: Uint8Array }
  | {
      readonly kind: "authenticated";
      readonly token: Uint8Array;
      /** 0: for ever. */
      readonly sessionLifetimeMs: number;
    }
  | { readonly kind: "failed"; readonly message: string }
  /** The connection goes on. */
  | { readonly kind: "illegal"; readonly message: string };

/** The address that Metadata gives to clients of this listener. */
export interface AdvertisedListener {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/**
 * One Kafka API. `handle` decides synchronously where the state is at hand, so that requests of
 * one connection take effect in their order, and answers now or later. `undefined` means that
 * this request has no reply (Produce with acks=0).
 */
export interface Handler<Request, Response> {
  readonly apiKey: ApiKey;
  /** The versions that are fully served; ApiVersions advertises exactly these. */
  readonly versions: { readonly min: number; readonly max: number };
  handle(
    request: Request,
    context: RequestContext,
  ): Response | undefined | Promise<Response | undefined>;
}
