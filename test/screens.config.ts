import { defineConfig } from "vitest/config"

// Pictures of every screen, not tests: make screenshots.
export default defineConfig({
  test: { include: ["screens/*.ts"], globalSetup: ["lib/build.ts"], testTimeout: 120_000, hookTimeout: 120_000, fileParallelism: false },
})
