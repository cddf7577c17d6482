/** What speaks Kafka's protocol, apart from the API itself: it needs Node. */
export {
  KafkaAccess,
  type KafkaAccessDependencies,
} from "./kafka-access.ts";
