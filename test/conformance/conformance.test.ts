import { runConformanceTests } from "@durable-streams/server-conformance-tests"
import { afterAll, beforeAll, expect } from "vitest"
import { Server } from "../lib/server"

let server: Server

// The suite reads baseUrl when a test runs, by when the server has started.
const options = { baseUrl: "", subscriptions: true }

beforeAll(async () => {
  // The suite waits for long-polls to time out, within vitest's own limit.
  server = await Server.start("--long-poll-timeout", "500ms")
  options.baseUrl = server.dataUrl
})

afterAll(async () => {
  // The suite sends offsets that never were, on purpose; the rest is ordinary use.
  expect((await server.findings()).filter(({ rule }) => rule !== "strange-offset")).toEqual([])
  expect(await server.stop()).toBe(0)
})

runConformanceTests(options)
