/** Bounds of the AWS adapters. */

const mebibyte = 1_048_576;

/**
 * Objects of this size and more are put in parts. Each part is billed as a put, and so are the
 * beginning and the end: what a broker puts all day (cold segments, checkpoints) stays below.
 */
export const multipartBytesMin: number = 48 * mebibyte;
/** A part's bytes; S3 takes no less than 5 MiB. */
export const partBytes: number = 16 * mebibyte;
/** Views of up to so many bytes together are joined, so that each write is worth its system call. */
export const joinedBytesMax: number = 64 * 1_024;
/** Parts of one object under way at once. */
export const partsInFlightMax = 4;
/** How often a part is tried, and the first wait between tries, which doubles. */
export const partTriesMax = 5;
export const partBackoffMsFirst = 100;
/** Connections to S3; further requests wait for one. A takeover reads some hundred objects at once. */
export const connectionsMax = 128;
/** How long it may take to make a connection. */
export const connectMsMax = 3_000;
/** How long a request may take, and one that carries an object or a part of it to S3. */
export const requestMsMax = 15_000;
export const uploadMsMax = 60_000;
/** How long a start waits to be told the bucket's lifecycle rules. */
export const rulesMsMax = 5_000;
/** Keys of one DeleteObjects: S3's limit. */
export const deletedKeysMax = 1_000;
/** How long it may take to connect to DynamoDB, and to have one request answered. */
export const dynamoDbConnectMsMax = 1_000;
export const dynamoDbRequestMsMax = 1_500;
/** How often a write to DynamoDB is tried, and from when on no further try begins. */
export const writeTriesMax = 7;
export const writeMsMax = 5_000;
/** The longest first wait between tries of a write, which doubles, and the longest of all. */
export const writeBackoffMsFirst = 20;
export const writeBackoffMsMax = 400;
/** Items of which a metadata store remembers the state, so that it can replace just that. */
export const knownItemsMax = 20_000;
/** How long a new table may take to be there, and how often that is asked. */
export const tableMsMax = 60_000;
export const tablePollMs = 250;
/** Of ECS, Cloud Map and SSM: to connect, to have a request answered, and how often one is tried. */
export const controlConnectMsMax = 3_000;
export const controlRequestMsMax = 15_000;
export const controlTriesMax = 4;
/** Parameters that one GetParameters names: SSM's limit. */
export const namedParametersMax = 10;
/** Services that one DescribeServices names: ECS's limit. */
export const describedServicesMax = 10;
/** Task definitions that one DeleteTaskDefinitions names: ECS's limit. */
export const deletedDefinitionsMax = 10;
/** What a broker has to hand over its slots after SIGTERM: Fargate's limit. */
export const brokerStopSecondsMax = 120;
/** A broker's start, in which failed health checks do not count: ECS's limit. */
export const brokerStartSecondsMax = 300;
