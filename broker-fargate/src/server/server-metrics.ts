import type { ApiKey } from "@millrace/wire";
import type { Metrics } from "../metrics/registry.ts";
import { type Counter, type Gauge, type Histogram, secondsBounds } from "../metrics/series.ts";
import { type CloseReason, closeReasons } from "./close-reason.ts";

/** What the connections of one process count, bound to its registry once. */
export interface ServerMetrics {
  readonly connectionsOpen: Gauge;
  readonly connectionsAccepted: Counter;
  readonly connectionsRefused: Counter;
  readonly connectionsClosed: Readonly<Record<CloseReason, Counter>>;
  readonly tlsHandshakesFailed: Counter;
  readonly bytesIn: Counter;
  readonly bytesOut: Counter;
  readonly requestsInFlight: Gauge;
  api(apiKey: ApiKey): ApiMetrics;
}

export interface ApiMetrics {
  readonly requests: Counter;
  readonly failures: Counter;
  readonly requestBytes: Counter;
  readonly responseBytes: Counter;
  /** From the request's last byte to its reply's hand-over to the socket. */
  readonly seconds: Histogram;
}

export function serverMetrics(
  metrics: Metrics,
  apis: Iterable<{ readonly apiKey: ApiKey; readonly name: string }>,
): ServerMetrics {
  const byApi = new Map<ApiKey, ApiMetrics>();
  for (const { apiKey, name } of apis) byApi.set(apiKey, apiMetrics(metrics, name));
  const unserved = apiMetrics(metrics, "unserved");
  return {
    connectionsOpen: metrics.gauge("millrace_connections", "Open client connections."),
    connectionsAccepted: metrics.counter(
      "millrace_connections_accepted_total",
      "Client connections that were accepted.",
    ),
    connectionsRefused: metrics.counter(
      "millrace_connections_refused_total",
      "Client connections closed at once because a limit was reached.",
    ),
    connectionsClosed: closedCounters(metrics),
    tlsHandshakesFailed: metrics.counter(
      "millrace_tls_handshakes_failed_total",
      "TLS handshakes of clients that failed or took too long.",
    ),
    bytesIn: metrics.counter("millrace_received_bytes_total", "Bytes read from clients."),
    bytesOut: metrics.counter("millrace_sent_bytes_total", "Bytes of replies to clients."),
    requestsInFlight: metrics.gauge(
      "millrace_requests_in_flight",
      "Requests that a handler has and has not answered.",
    ),
    api: (apiKey) => byApi.get(apiKey) ?? unserved,
  };
}

function closedCounters(metrics: Metrics): Readonly<Record<CloseReason, Counter>> {
  const entries = closeReasons.map((reason) => [
    reason,
    metrics.counter("millrace_connections_closed_total", "Client connections closed, by reason.", {
      reason,
    }),
  ]);
  return Object.fromEntries(entries) as Readonly<Record<CloseReason, Counter>>;
}

function apiMetrics(metrics: Metrics, api: string): ApiMetrics {
  const labels = { api };
  return {
    requests: metrics.counter("millrace_requests_total", "Requests received.", labels),
    failures: metrics.counter(
      "millrace_request_failures_total",
      "Requests that ended their connection because of a failure inside the broker.",
      labels,
    ),
    requestBytes: metrics.counter("millrace_request_bytes_total", "Bytes of requests.", labels),
    responseBytes: metrics.counter("millrace_response_bytes_total", "Bytes of replies.", labels),
    seconds: metrics.histogram(
      "millrace_request_seconds",
      "Time from a request's last byte to its reply, in seconds.",
      secondsBounds,
      labels,
    ),
  };
}
