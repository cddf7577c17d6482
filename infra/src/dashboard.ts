import { Duration } from "aws-cdk-lib";
import {
  Dashboard,
  GraphWidget,
  type IMetric,
  LogQueryWidget,
  Metric,
  Stats,
} from "aws-cdk-lib/aws-cloudwatch";
import type { Construct } from "constructs";
import type { Deployment } from "./deployment.ts";
import { functionNames } from "./functions.ts";

const half = 12;

/** One page: is the API well, do operations move, are brokers there, what is stored. */
export function addDashboard(
  scope: Construct,
  { deployment, missing }: { readonly deployment: Deployment; readonly missing: IMetric },
): Dashboard {
  return new Dashboard(scope, "Dashboard", {
    defaultInterval: Duration.hours(12),
    widgets: [apiWidgets(deployment), brokerWidgets(deployment, missing), storeWidgets(deployment)],
  });
}

function apiWidgets({ controlApi, functions }: Deployment): GraphWidget[] {
  const { stage } = controlApi;
  const requests = [stage.metricCount(), stage.metricClientError(), stage.metricServerError()];
  return [
    new GraphWidget({ title: "API: requests, 4xx, 5xx", width: half, left: requests }),
    new GraphWidget({
      title: "Functions: p95 ms; errors",
      width: half,
      left: functionNames.map((name) =>
        functions[name].metricDuration({ statistic: "p95", label: name }),
      ),
      right: functionNames.map((name) => functions[name].metricErrors({ label: `${name} errors` })),
    }),
  ];
}

/** A running task samples its CPU once a minute: so many samples, so many tasks. */
function brokerWidgets({ brokers }: Deployment, missing: IMetric): GraphWidget[] {
  const dimensionsMap = { ClusterName: brokers.cluster.clusterName };
  const ofTasks = (metricName: string, statistic: string, label: string): Metric =>
    new Metric({
      ...{ namespace: "AWS/ECS", metricName, dimensionsMap, statistic, label },
      period: Duration.minutes(1),
    });
  const running = ofTasks("CPUUtilization", Stats.SAMPLE_COUNT, "running");
  return [
    new GraphWidget({ title: "Brokers: running, missing", width: half, left: [running, missing] }),
    new GraphWidget({
      title: "Brokers: CPU and memory, % of the fullest",
      width: half,
      left: [
        ofTasks("CPUUtilization", Stats.MAXIMUM, "CPU"),
        ofTasks("MemoryUtilization", Stats.MAXIMUM, "memory"),
      ],
    }),
  ];
}

function storeWidgets({ brokers, storage }: Deployment): (GraphWidget | LogQueryWidget)[] {
  const { bucketName } = storage.bucket;
  const bytes = new Metric({
    namespace: "AWS/S3",
    metricName: "BucketSizeBytes",
    dimensionsMap: { BucketName: bucketName, StorageType: "StandardStorage" },
    statistic: Stats.AVERAGE,
    period: Duration.days(1),
  });
  return [
    new GraphWidget({ title: "Bucket: bytes", width: half, left: [bytes] }),
    new LogQueryWidget({
      title: "Brokers: what they warn of",
      width: half,
      logGroupNames: [brokers.logGroup.logGroupName],
      queryLines: [
        "fields @timestamp, @logStream, msg",
        "filter level >= 40",
        "sort @timestamp desc",
        "limit 50",
      ],
    }),
  ];
}
