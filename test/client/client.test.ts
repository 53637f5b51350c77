import { DurableStream, IdempotentProducer, stream } from "@durable-streams/client"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { Server } from "../lib/server"

let server: Server

beforeAll(async () => {
  server = await Server.start()
})

afterAll(async () => {
  // A client that does everything right gives no cause for a finding.
  expect(await server.findings()).toEqual([])
  expect(await server.stop()).toBe(0)
})

test("the idempotent producer writes every item once, in order", async () => {
  const url = `${server.streams}/client/orders`
  const handle = await DurableStream.create({ url, contentType: "application/json" })
  const failures: Error[] = []
  const producer = new IdempotentProducer(handle, "orders-1", { onError: (e) => failures.push(e), lingerMs: 1 })
  for (let n = 0; n < 500; n++) producer.append(JSON.stringify({ n }))
  await producer.flush()
  await producer.detach()
  expect(failures).toEqual([])

  const items = await (await stream<{ n: number }>({ url, live: false })).json()
  expect(items.map((item) => item.n)).toEqual(Array.from({ length: 500 }, (_, n) => n))
})

test("a second producer with the same id takes over with a higher epoch", async () => {
  const url = `${server.streams}/client/zombies`
  const handle = await DurableStream.create({ url, contentType: "application/json" })
  const first = new IdempotentProducer(handle, "worker", { lingerMs: 0 })
  first.append(JSON.stringify("first"))
  await first.flush()

  const second = new IdempotentProducer(handle, "worker", { autoClaim: true, epoch: 1, lingerMs: 0 })
  second.append(JSON.stringify("second"))
  await second.flush()

  const fenced: Error[] = []
  const zombie = new IdempotentProducer(handle, "worker", { onError: (e) => fenced.push(e), lingerMs: 0 })
  zombie.append(JSON.stringify("late"))
  await zombie.flush().catch((e: Error) => fenced.push(e))
  expect(fenced.length).toBeGreaterThan(0)
  expect(await (await stream({ url, live: false })).json()).toEqual(["first", "second"])
})

for (const live of ["long-poll", "sse"] as const) {
  test(`a ${live} tail sees what was there, what is appended, and the end`, async () => {
    const url = `${server.streams}/client/tail-${live}`
    const handle = await DurableStream.create({ url, contentType: "text/plain" })
    await handle.append("one ")
    const response = await stream({ url, offset: "-1", live })
    let text = ""
    let arrived = () => {}
    const caughtUp = new Promise<void>((resolve) => (arrived = resolve))
    response.subscribeText(async (chunk) => {
      text += chunk.text
      if (text.length >= 4) arrived()
    })
    await caughtUp
    await handle.append("two ")
    await handle.append("größe")
    await handle.close()
    await response.closed
    // The client may hand over the last chunk after it has told of the end.
    await vi.waitFor(() => expect(text).toBe("one two größe"))
  })
}

test("binary data comes back as it was written, over every mode", async () => {
  const url = `${server.streams}/client/bytes`
  const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 31) & 0xff)
  const handle = await DurableStream.create({ url, contentType: "application/octet-stream" })
  await handle.append(bytes)
  await handle.close()
  for (const live of [false, "long-poll", "sse"] as const) {
    const response = await stream({ url, offset: "-1", live })
    expect(Buffer.from(await response.body()).equals(bytes)).toBe(true)
  }
})
