/** Which test meets which limit of a metadata host and its clients. */

import { type LimitTest, met } from "./limit-test.ts";

const host = "adapters/node/src/metadata-host.test.ts";
const connection = "adapters/node/src/metadata-host-connection.test.ts";
const store = "adapters/node/src/metadata-host-store.test.ts";

const callsFail = "MetadataError: retriable, not applied";
const triesUntilTimeIsOver = "was tried again with one write id as long as there was time";

/** Of `adapters/node/src/limits.ts`. */
export const metadataHostLimitTests: Readonly<Record<string, LimitTest>> = {
  socketPathBytesMax: met("MetadataError at start", host, "has a path that the system takes"),
  hostConnectionsMax: met(
    "the connection is closed",
    host,
    "has no more clients than it may, and room for another when one goes",
  ),
  hostHelloBytesMax: met(
    "the connection is closed",
    host,
    "closes a connection whose first frame %s",
  ),
  hostRequestFrameBytesMax: met(
    "the connection is closed",
    host,
    "closes that connection with one line: %s",
  ),
  hostReplyFrameBytesMax: met(
    "the client connects again",
    "adapters/node/src/metadata-host-frames.test.ts",
    "refuses a frame of more bytes than the limit before they are there",
  ),
  hostRequestsInFlightMax: met(
    "nothing more is read",
    connection,
    "takes no more transactions than may be under way, and goes on when one is done",
  ),
  hostRequestBytesInFlightMax: met(
    "nothing more is read",
    connection,
    "takes no more bytes of transactions than may be under way",
  ),
  hostReplyPauseBytes: met(
    "nothing more is read",
    connection,
    "reads no more from a client that does not take its replies, until it does",
  ),
  hostReplyBytesMax: met(
    "the connection is closed",
    connection,
    "is closed when more replies wait for the client than may",
  ),
  hostPageItemsMax: met(
    "the rest is on the next page",
    host,
    "lists no more items in a page than it may",
  ),
  hostOutcomesMax: met(
    "MetadataError: may be applied",
    host,
    "after its outcome may have been forgotten is not applied, and told so",
  ),
  hostCloseMsMax: met(
    "the connection is closed",
    host,
    "that ends does not wait for long for a client that does not read",
  ),
  hostedCallsMax: met(callsFail, store, "are no more than may wait, and not more bytes"),
  hostedCallBytesMax: met(callsFail, store, "are no more than may wait, and not more bytes"),
  hostedCallsInFlightMax: met(
    "further calls wait",
    store,
    "are sent as far as they may be under way, the rest when those are answered",
  ),
  hostedSendBytesMax: met(
    "further calls wait",
    store,
    "wait where a host that does not read cannot hold them",
  ),
  hostedCallMsMax: met(
    "MetadataError: retriable",
    store,
    "fails, and says that it was not applied when there was no host",
  ),
  hostedBackoffMsFirst: met("few tries", store, triesUntilTimeIsOver),
  hostedBackoffMsMax: met("few tries", store, triesUntilTimeIsOver),
};
