import { defineConfig } from "vitest/config";

// Apart from vite.config.ts, so that building needs nothing that only checking needs.
export default defineConfig({
  test: {
    include: ["tests/**/*.test.{ts,tsx}"],
    environment: "node",
  },
});
