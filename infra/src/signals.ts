import { Duration } from "aws-cdk-lib";
import {
  Alarm,
  type AlarmProps,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { FilterPattern, type LogGroup, MetricFilter } from "aws-cdk-lib/aws-logs";
import { Topic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { addBrokerSignals } from "./broker-signals.ts";
import { addDashboard } from "./dashboard.ts";
import type { Deployment } from "./deployment.ts";
import { functionNames } from "./functions.ts";
import type { Settings } from "./props.ts";

export interface SignalsProps {
  readonly settings: Settings;
  readonly deployment: Deployment;
}

/** Longer than the longest operation of one invocation. */
const waitsMax = Duration.minutes(20);
const minutes5 = Duration.minutes(5);

/** What the provisioner and brokers say in their logs, as metrics of this namespace. */
const logMetrics = {
  brokersMissing: {
    pattern: FilterPattern.numberValue("$.brokersMissing", ">=", 0),
    value: "$.brokersMissing",
  },
  operationsFailed: {
    pattern: FilterPattern.stringValue("$.event", "=", "operationFailed"),
    value: "1",
  },
  /** pino's error and fatal. */
  brokerErrors: { pattern: FilterPattern.numberValue("$.level", ">=", 50), value: "1" },
} as const;

/**
 * Alarms and the dashboard. Alarms are few and each wants an action; none speaks of a deployment
 * without clusters, but the sweeper's, which must always run.
 */
export class Signals extends Construct {
  readonly #props: SignalsProps;
  readonly #namespace: string;

  constructor(scope: Construct, id: string, props: SignalsProps) {
    super(scope, id);
    this.#props = props;
    this.#namespace = `Millrace/${props.settings.name}`;
    this.#ofApi();
    this.#ofFunctions();
    this.#ofLogs();
    if (props.settings.dashboard) {
      addDashboard(this, { ...props, missing: this.#logMetric("brokersMissing") });
    }
  }

  #ofApi(): void {
    const { controlApi, storage } = this.#props.deployment;
    this.#alarm("Api5xx", "The API answered with a server error.", {
      metric: controlApi.stage.metricServerError({ period: minutes5, statistic: Stats.SUM }),
    });
    const tableName = storage.controlTable.tableName;
    this.#alarm("ControlTableThrottled", "DynamoDB turned writes of the control plane away.", {
      metric: new Metric({
        namespace: "AWS/DynamoDB",
        metricName: "WriteThrottleEvents",
        dimensionsMap: { TableName: tableName },
        statistic: Stats.SUM,
        period: minutes5,
      }),
    });
  }

  #ofFunctions(): void {
    const { functions } = this.#props.deployment;
    const sum = (metricName: "Errors" | "Throttles"): IMetric => {
      const all = functionNames.map((name) =>
        functions[name].metric(metricName, { statistic: "Sum" }),
      );
      const usingMetrics = Object.fromEntries(all.map((metric, at) => [`m${at}`, metric]));
      const expression = Object.keys(usingMetrics).join(" + ");
      return new MathExpression({ expression, usingMetrics, label: metricName, period: minutes5 });
    };
    this.#alarm("FunctionErrors", "A function of the control plane failed.", {
      metric: sum("Errors"),
    });
    this.#alarm("FunctionThrottles", "Lambda turned invocations of the control plane away.", {
      metric: sum("Throttles"),
    });
    this.#alarm(
      "OperationsWait",
      "Operations wait for the provisioner: it fails, or is too slow.",
      {
        metric: functions.provisioner.metric("IteratorAge", {
          statistic: "Maximum",
          period: minutes5,
        }),
        threshold: waitsMax.toMilliseconds(),
      },
    );
    this.#alarm("SweeperSilent", "The provisioner's schedule did not run for 15 minutes.", {
      metric: functions.provisioner.metricInvocations({ period: minutes5 }),
      evaluationPeriods: 3,
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      treatMissingData: TreatMissingData.BREACHING,
    });
  }

  #ofLogs(): void {
    const { brokers, functions } = this.#props.deployment;
    this.#filter("brokersMissing", functions.logGroups.provisioner);
    this.#filter("operationsFailed", functions.logGroups.provisioner);
    this.#filter("brokerErrors", brokers.logGroup);
    this.#alarm("BrokersMissing", "Fewer brokers are ready than clusters want, twice in a row.", {
      metric: this.#logMetric("brokersMissing"),
      evaluationPeriods: 2,
    });
    this.#alarm("OperationsFailed", "An operation on a cluster was given up.", {
      metric: this.#logMetric("operationsFailed"),
    });
    this.#alarm("BrokerErrors", "A broker wrote errors to its log.", {
      metric: this.#logMetric("brokerErrors"),
    });
    addBrokerSignals(this, {
      ...{ logGroup: brokers.logGroup, namespace: this.#namespace },
      alarm: (id, description, props) => this.#alarm(id, description, props),
    });
  }

  #filter(name: keyof typeof logMetrics, logGroup: LogGroup): void {
    const { pattern, value } = logMetrics[name];
    new MetricFilter(this, `filter-${name}`, {
      logGroup,
      filterPattern: pattern,
      metricNamespace: this.#namespace,
      metricName: name,
      metricValue: value,
    });
  }

  #logMetric(name: keyof typeof logMetrics): IMetric {
    const statistic = name === "brokersMissing" ? Stats.MAXIMUM : Stats.SUM;
    return new Metric({
      ...{ namespace: this.#namespace, metricName: name, statistic, period: minutes5 },
    });
  }

  #alarm(
    id: string,
    alarmDescription: string,
    props: Pick<AlarmProps, "metric"> & Partial<AlarmProps>,
  ): void {
    const alarm = new Alarm(this, id, {
      threshold: 1,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription,
      ...props,
    });
    const { alarmTopicArn } = this.#props.settings;
    if (alarmTopicArn === undefined) return;
    alarm.addAlarmAction(new SnsAction(Topic.fromTopicArn(this, `${id}Topic`, alarmTopicArn)));
  }
}
