import type { Server } from "../lib/server"

/** Writes what the pictures show. */
export async function seed(server: Server): Promise<void> {
  const write = async (method: string, path: string, type: string, body?: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${server.streams}/${path}`, { method, body, headers: { "Content-Type": type, ...headers } })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  }
  const json = "application/json"
  for (const path of ["agents/planner/inbox", "agents/reviewer/inbox", "orders/eu/events", "orders/us/events"]) await write("PUT", path, json, "[]")
  for (const path of ["jobs/build-380/output", "jobs/build-381/output"]) await write("PUT", path, "text/plain; charset=utf-8", "step 1\n")
  await write("PUT", "docs/roadmap/updates", "application/octet-stream")
  await write("PUT", "chat/4f2a/turns", json, undefined, { "Stream-TTL": "86400" })
  for (let turn = 0; turn < 60; turn++) {
    const batch: unknown[] = [{ kind: "turn.start", turn: `t_${turn}`, role: turn % 2 ? "assistant" : "user" }]
    for (let i = 0; i < 4; i++) batch.push({ kind: "delta", i, text: " water" })
    batch.push({
      kind: "tool.result", turn: `t_${turn}`, ok: true, took_ms: 188 + turn,
      hits: [{ doc: "roadmap", score: 0.914, offset: 1, text: "The tailrace carries the spent water away" }, { doc: "onboarding", score: 0.871 }],
    })
    const body = JSON.stringify(batch).replace('"offset":1', '"offset":9007199254740993').replace("0.914", "0.914000000000000035")
    await write("POST", "chat/4f2a/turns", json, body, { "Producer-Id": "ai-gateway", "Producer-Epoch": "4", "Producer-Seq": String(turn) })
  }
  await rivals(server)
  await readers(server)
}

/** Two senders of one producer, of which one is fenced, and a producer that skips. */
async function rivals(server: Server): Promise<void> {
  const send = (id: string, epoch: number, seq: number) =>
    fetch(`${server.streams}/orders/eu/events`, {
      method: "POST", body: `{"type":"order.paid","order":${seq}}`,
      headers: { "Content-Type": "application/json", "Producer-Id": id, "Producer-Epoch": String(epoch), "Producer-Seq": String(seq), Authorization: "Bearer dev" },
    }).then((response) => response.arrayBuffer())
  for (let seq = 0; seq < 24; seq++) await send("order-api", 3, seq)
  for (let seq = 0; seq < 20; seq++) {
    await send("order-api", 4, seq)
    if (seq % 6 === 2) await send("order-api", 3, 24)
    if (seq % 8 === 5) await send("order-api", 4, seq)
  }
  for (let seq = 0; seq < 9; seq++) await send("refund-worker", 1, seq)
  for (let i = 0; i < 3; i++) await send("refund-worker", 1, 12)
  await (await fetch(`${server.streams}/chat/b310/turns`)).arrayBuffer()
}

/** Live readers that stay, one of which takes nothing of what it is sent. */
async function readers(server: Server): Promise<void> {
  for (const path of ["chat/4f2a/turns", "agents/planner/inbox", "orders/eu/events"]) {
    const response = await fetch(`${server.streams}/${path}?offset=now&live=sse`)
    void response.body?.pipeTo(new WritableStream()).catch(() => {})
  }
  void fetch(`${server.streams}/jobs/build-381/output?offset=now&live=long-poll`).catch(() => {})
}
