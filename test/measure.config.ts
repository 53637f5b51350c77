import { defineConfig } from "vitest/config"

// How the page copes with much data, in figures: make measure-page. Not tests:
// a busy machine must not fail them.
export default defineConfig({
  test: { include: ["measure/*.ts"], globalSetup: ["lib/build.ts"], testTimeout: 600_000, hookTimeout: 600_000, fileParallelism: false },
})
