/** Bounds of the control plane's API, with their units in the names. */
import { clustersMax } from "./clusters/limits.ts";

/** Bytes of a request's body. */
export const bodyBytesMax: number = 256 * 1024;
/** Requests that a principal may send at once, and how many more it may send with each second. */
export const requestBurstMax = 200;
export const requestsPerSecond = 50;
/** Principals whose requests are counted. */
export const ratedPrincipalsMax = 1_000;
/** Places of a request that one problem names, and characters of what it says of each. */
export const problemPlacesMax = 100;
export const problemDetailCharactersMax = 500;
/** Items of one page of a list, and as many as a list has where nobody says. */
export const pageItemsMax = 100;
export const pageItemsDefault = 50;
/** Characters of a cursor. */
export const cursorCharactersMax = 1_024;
/** Characters of an Idempotency-Key: fewer could be guessed. */
export const idempotencyKeyCharactersMin = 16;
export const idempotencyKeyCharactersMax = 255;
/** How long a reply is kept for repeats of its request. */
export const idempotencyKeptMs: number = 24 * 60 * 60 * 1_000;
/** How long a request is under way before a repeat of it may go on in its place. */
export const idempotencyLeaseMs = 60_000;
/** Neighbours that are looked at, and removed if they are old, whenever a reply is to be kept. */
export const idempotencySweptMax = 8;
/** Characters of the names of credentials and API keys. */
export const labelCharactersMax = 100;
/** API keys of a deployment. */
export const apiKeysMax = 1_000;
/** Credentials of a cluster that the API made. */
export const credentialsMax = 5_000;
/** Config entries in one request. */
export const configEntriesMax = 200;
/** Characters of a config's value. */
export const configValueCharactersMax = 10_000;
/** Partitions that may be asked for at once. */
export const topicPartitionsMax = 10_000;
/** Topics and partitions that one request to reset offsets names. */
export const offsetResetsMax = 100;
/** Partitions whose offsets one request resets: the kept reply, which names them all, is one item. */
export const resetPartitionsMax = 1_000;
/** How often a topic that was made is looked for until a broker shows it, and the wait in between. */
export const madeTopicLooksMax = 20;
export const madeTopicLookMs = 100;
/** How long one call to a cluster's brokers may take: two of them, within a gateway's half a minute. */
export const clusterCallMsMax = 12_000;
/** Clusters to whose brokers connections are kept. */
export const openClustersMax = 100;
/** Clusters for which a process keeps its login: more than there are, so that those of deleted ones go. */
export const keptLoginsMax: number = 2 * clustersMax;
/** Age at which a process takes a new login for a cluster's brokers. */
export const renewLoginMs: number = 12 * 60 * 60 * 1_000;
/** Age at which such a login is removed, whoever made it: longer than any is used. */
export const controlLoginMsMax: number = 24 * 60 * 60 * 1_000;
/** Logins that are looked at, and removed if they are old, whenever one is made. */
export const loginsSweptMax = 100;
