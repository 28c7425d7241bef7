/** Addresses of the pages. services/ui/settings of the server lists the first segments too; a test compares the two. */

export const APP_ROUTES = ["services", "traces", "logs", "metric-explorer", "sign-in"] as const;

export const paths = {
  services: "/services",
  service: (service: string) => `/services/${encodeURIComponent(service)}`,
  traces: "/traces",
  trace: (traceId: string) => `/traces/${encodeURIComponent(traceId)}`,
  logs: "/logs",
  // Not /metrics: there every service of ours answers Prometheus.
  metrics: "/metric-explorer",
  signIn: "/sign-in",
} as const;
