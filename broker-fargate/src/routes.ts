/** Every API that is served: its handler, bound to its codec. ApiVersions lists exactly these. */
import { ApiKey } from "@millrace/wire";
import type { Broker } from "./broker.ts";
import { produceHandler } from "./handlers/00-produce.ts";
import { fetchHandler } from "./handlers/01-fetch.ts";
import { listOffsetsHandler } from "./handlers/02-list-offsets.ts";
import { metadataHandler } from "./handlers/03-metadata.ts";
import { offsetCommitHandler } from "./handlers/08-offset-commit.ts";
import { offsetFetchHandler } from "./handlers/09-offset-fetch.ts";
import { findCoordinatorHandler } from "./handlers/10-find-coordinator.ts";
import { joinGroupHandler } from "./handlers/11-join-group.ts";
import { heartbeatHandler } from "./handlers/12-heartbeat.ts";
import { leaveGroupHandler } from "./handlers/13-leave-group.ts";
import { syncGroupHandler } from "./handlers/14-sync-group.ts";
import { describeGroupsHandler } from "./handlers/15-describe-groups.ts";
import { listGroupsHandler } from "./handlers/16-list-groups.ts";
import { saslHandshakeHandler } from "./handlers/17-sasl-handshake.ts";
import { apiVersionsHandler } from "./handlers/18-api-versions.ts";
import { createTopicsHandler } from "./handlers/19-create-topics.ts";
import { deleteTopicsHandler } from "./handlers/20-delete-topics.ts";
import { deleteRecordsHandler } from "./handlers/21-delete-records.ts";
import { initProducerIdHandler } from "./handlers/22-init-producer-id.ts";
import { offsetForLeaderEpochHandler } from "./handlers/23-offset-for-leader-epoch.ts";
import { describeAclsHandler } from "./handlers/29-describe-acls.ts";
import { createAclsHandler } from "./handlers/30-create-acls.ts";
import { deleteAclsHandler } from "./handlers/31-delete-acls.ts";
import { describeConfigsHandler } from "./handlers/32-describe-configs.ts";
import { alterConfigsHandler } from "./handlers/33-alter-configs.ts";
import { type DataFolder, describeLogDirsHandler } from "./handlers/35-describe-log-dirs.ts";
import { saslAuthenticateHandler } from "./handlers/36-sasl-authenticate.ts";
import { createPartitionsHandler } from "./handlers/37-create-partitions.ts";
import { deleteGroupsHandler } from "./handlers/42-delete-groups.ts";
import { electLeadersHandler } from "./handlers/43-elect-leaders.ts";
import { incrementalAlterConfigsHandler } from "./handlers/44-incremental-alter-configs.ts";
import { listPartitionReassignmentsHandler } from "./handlers/46-list-partition-reassignments.ts";
import { offsetDeleteHandler } from "./handlers/47-offset-delete.ts";
import { describeClientQuotasHandler } from "./handlers/48-describe-client-quotas.ts";
import { describeUserScramCredentialsHandler } from "./handlers/50-describe-user-scram-credentials.ts";
import { alterUserScramCredentialsHandler } from "./handlers/51-alter-user-scram-credentials.ts";
import { updateFeaturesHandler } from "./handlers/57-update-features.ts";
import { describeClusterHandler } from "./handlers/60-describe-cluster.ts";
import { consumerGroupHeartbeatHandler } from "./handlers/68-consumer-group-heartbeat.ts";
import { listConfigResourcesHandler } from "./handlers/74-list-config-resources.ts";
import { describeTopicPartitionsHandler } from "./handlers/75-describe-topic-partitions.ts";
import { defineRoute, type Route, type ServedApi } from "./server/dispatcher.ts";

export function routesOf(
  broker: Broker,
  deps: { readonly folder: DataFolder; readonly served: () => readonly ServedApi[] },
): readonly Route[] {
  return [
    defineRoute(ApiKey.Produce, produceHandler(broker)),
    defineRoute(ApiKey.Fetch, fetchHandler(broker)),
    defineRoute(ApiKey.ListOffsets, listOffsetsHandler(broker)),
    defineRoute(ApiKey.Metadata, metadataHandler(broker)),
    defineRoute(ApiKey.OffsetCommit, offsetCommitHandler(broker)),
    defineRoute(ApiKey.OffsetFetch, offsetFetchHandler(broker)),
    defineRoute(ApiKey.FindCoordinator, findCoordinatorHandler(broker)),
    defineRoute(ApiKey.JoinGroup, joinGroupHandler(broker)),
    defineRoute(ApiKey.Heartbeat, heartbeatHandler(broker)),
    defineRoute(ApiKey.LeaveGroup, leaveGroupHandler(broker)),
    defineRoute(ApiKey.SyncGroup, syncGroupHandler(broker)),
    defineRoute(ApiKey.DescribeGroups, describeGroupsHandler(broker)),
    defineRoute(ApiKey.ListGroups, listGroupsHandler(broker)),
    defineRoute(ApiKey.SaslHandshake, saslHandshakeHandler()),
    defineRoute(ApiKey.ApiVersions, apiVersionsHandler(broker, deps.served)),
    defineRoute(ApiKey.CreateTopics, createTopicsHandler(broker)),
    defineRoute(ApiKey.DeleteTopics, deleteTopicsHandler(broker)),
    defineRoute(ApiKey.DeleteRecords, deleteRecordsHandler(broker)),
    defineRoute(ApiKey.InitProducerId, initProducerIdHandler(broker)),
    defineRoute(ApiKey.OffsetForLeaderEpoch, offsetForLeaderEpochHandler(broker)),
    defineRoute(ApiKey.DescribeAcls, describeAclsHandler()),
    defineRoute(ApiKey.CreateAcls, createAclsHandler()),
    defineRoute(ApiKey.DeleteAcls, deleteAclsHandler()),
    defineRoute(ApiKey.DescribeConfigs, describeConfigsHandler(broker)),
    defineRoute(ApiKey.AlterConfigs, alterConfigsHandler(broker)),
    defineRoute(ApiKey.DescribeLogDirs, describeLogDirsHandler(broker, deps.folder)),
    defineRoute(ApiKey.SaslAuthenticate, saslAuthenticateHandler()),
    defineRoute(ApiKey.CreatePartitions, createPartitionsHandler(broker)),
    defineRoute(ApiKey.DeleteGroups, deleteGroupsHandler(broker)),
    defineRoute(ApiKey.ElectLeaders, electLeadersHandler(broker)),
    defineRoute(ApiKey.IncrementalAlterConfigs, incrementalAlterConfigsHandler(broker)),
    defineRoute(ApiKey.ListPartitionReassignments, listPartitionReassignmentsHandler()),
    defineRoute(ApiKey.OffsetDelete, offsetDeleteHandler(broker)),
    defineRoute(ApiKey.DescribeClientQuotas, describeClientQuotasHandler()),
    defineRoute(ApiKey.DescribeUserScramCredentials, describeUserScramCredentialsHandler(broker)),
    defineRoute(ApiKey.AlterUserScramCredentials, alterUserScramCredentialsHandler(broker)),
    defineRoute(ApiKey.UpdateFeatures, updateFeaturesHandler(broker)),
    defineRoute(ApiKey.DescribeCluster, describeClusterHandler(broker)),
    defineRoute(ApiKey.ConsumerGroupHeartbeat, consumerGroupHeartbeatHandler()),
    defineRoute(ApiKey.ListConfigResources, listConfigResourcesHandler(broker)),
    defineRoute(ApiKey.DescribeTopicPartitions, describeTopicPartitionsHandler(broker)),
  ];
}
