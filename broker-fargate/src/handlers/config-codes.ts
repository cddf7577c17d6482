import type { ConfigSource, ConfigType } from "@millrace/core";

/** The protocol's numbers for configs: kinds of resource, sources, types, operations. */

export const resourceType = {
  topic: 2,
  broker: 4,
  brokerLogger: 8,
  clientMetrics: 16,
  group: 32,
} as const;

export const configOperation = { set: 0, delete: 1, append: 2, subtract: 3 } as const;

/** DescribeConfigs' ConfigSource. */
export function sourceCode(source: ConfigSource): number {
  switch (source) {
    case "topic":
      return 1;
    case "dynamicBroker":
      return 2;
    case "dynamicDefaultBroker":
      return 3;
    case "staticBroker":
      return 4;
    case "default":
      return 5;
  }
}

export const unknownConfigType = 0;

/** DescribeConfigs' ConfigType. */
export function typeCode(type: ConfigType): number {
  switch (type) {
    case "boolean":
      return 1;
    case "string":
      return 2;
    case "int":
      return 3;
    case "short":
      return 4;
    case "long":
      return 5;
    case "double":
      return 6;
    case "list":
      return 7;
    case "class":
      return 8;
    case "password":
      return 9;
  }
}
