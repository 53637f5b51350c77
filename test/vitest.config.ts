import { defineConfig } from "vitest/config"

// The tests of this folder use the real program over real HTTP. They run one
// file after the other: each has a server of its own, and the machine may have
// two cores.
export default defineConfig({
  test: {
    include: ["*/*.test.ts"],
    globalSetup: ["lib/build.ts"],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // As long as Playwright waits for what it is told to.
    expect: { poll: { timeout: 20_000 } },
  },
})
