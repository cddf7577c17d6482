export { S3ObjectStore, type S3ObjectStoreOptions } from "./object-store.ts";
export type { DynamoDbPlace } from "./dynamodb-client.ts";
export { DynamoDbMetadataStore, type DynamoDbMetadataStoreOptions } from "./metadata-store.ts";
export { createMetadataTable, type MetadataTableOptions } from "./metadata-table.ts";
