/** Where brokers serve clients: Kafka over TLS, after a login by SASL. */
export const brokerPort = 9098;
