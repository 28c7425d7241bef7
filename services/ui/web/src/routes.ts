/** Addresses of the pages. */

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
