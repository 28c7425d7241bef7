import { defineConfig } from "vitest/config";

// Apart from vite.config.ts, so that building needs nothing that only checking needs.
export default defineConfig({
  test: {
    // A busy machine is slow, and how long a test takes says nothing about what it tests.
    testTimeout: 60_000,
    include: ["tests/**/*.test.{ts,tsx}"],
    environment: "node",
  },
});
