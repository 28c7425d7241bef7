/** Commands that send a first span from each language. They use the SDKs' standard environment variables. */

export type Language = "python" | "java" | "node" | "go" | "collector";

export function snippet(language: Language, http: string, key: string): string {
  const variables = [
    `export OTEL_EXPORTER_OTLP_ENDPOINT=${http}`,
    `export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`,
    `export OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20${key}"`,
    `export OTEL_SERVICE_NAME=my-service`,
  ];
  switch (language) {
    case "python":
      return ["pip install opentelemetry-distro opentelemetry-exporter-otlp", "opentelemetry-bootstrap -a install", ...variables, "opentelemetry-instrument python app.py"].join("\n");
    case "java":
      return [...variables, "java -javaagent:opentelemetry-javaagent.jar -jar app.jar"].join("\n");
    case "node":
      return ["npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node", ...variables, "node --require @opentelemetry/auto-instrumentations-node/register app.js"].join("\n");
    case "go":
      return [
        ...variables,
        "",
        "// main.go",
        "exporter, err := otlptracehttp.New(ctx)",
        "if err != nil { log.Fatal(err) }",
        "provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))",
        "defer provider.Shutdown(ctx)",
        "otel.SetTracerProvider(provider)",
      ].join("\n");
    case "collector":
      return [
        "exporters:",
        "  otlphttp/airis:",
        `    endpoint: ${http}`,
        `    headers: {Authorization: "Bearer ${key}"}`,
        "service:",
        "  pipelines:",
        "    traces: {receivers: [otlp], exporters: [otlphttp/airis]}",
        "    metrics: {receivers: [otlp], exporters: [otlphttp/airis]}",
        "    logs: {receivers: [otlp], exporters: [otlphttp/airis]}",
      ].join("\n");
  }
}
