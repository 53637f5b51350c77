import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, test } from "vitest"
import { launch } from "../lib/browser"
import { say, startPage } from "../lib/measure"
import { Probe } from "../lib/probe"
import { Server } from "../lib/server"

const PRODUCERS = 50_000
const TAIL_SECONDS = 20

let browser: Browser
let server: Server
let page: Page

async function append(n: number, seq: number): Promise<void> {
  const headers = { "Content-Type": "application/json", "Producer-Id": `worker-${n}`, "Producer-Epoch": "0", "Producer-Seq": String(seq) }
  const response = await fetch(`${server.streams}/jobs`, { method: "POST", body: `{"n":${n}}`, headers })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
}

beforeAll(async () => {
  browser = await launch()
  server = await Server.start()
  await fetch(`${server.streams}/jobs`, { method: "PUT", headers: { "Content-Type": "application/json" } })
  let next = 0
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (next < PRODUCERS) await append(next++, 0)
    }),
  )
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
})

afterAll(async () => {
  await browser.close()
  await server.stop()
})

test(`${PRODUCERS} producers of one stream`, async () => {
  const probe = await Probe.attach(page)
  await startPage(page, server)
  const rows = page.getByRole("grid", { name: "Producers" }).getByRole("row", { name: /worker-/ })
  const opened = async (what: string, act: () => Promise<unknown>, shown: () => Promise<unknown>) => {
    let took = 0
    const tasks = await probe.longest(async () => {
      const start = performance.now()
      await act()
      await shown()
      took = performance.now() - start
    })
    say(what, `${Math.round(took)} ms, longest task ${tasks.wall} ms, of it ${tasks.cpu} ms at work`)
  }
  await opened("the producers of a stream", () => page.evaluate(() => (location.hash = "/s/jobs?tab=producers")), () => rows.first().waitFor())
  await opened("one found by its id", () => page.getByRole("textbox", { name: "Filter producers" }).fill("worker-4321"), () => page.getByText("11 of 11 found").waitFor())
  await opened("all of them again", () => page.getByRole("textbox", { name: "Filter producers" }).fill(""), () => page.getByText(`200 of ${PRODUCERS.toLocaleString("en")}`).waitFor())
  const before = await probe.worked()
  const tasks = await probe.longest(async () => {
    const start = performance.now()
    for (let seq = 1; performance.now() - start < TAIL_SECONDS * 1000; seq++) {
      await append(7, seq)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })
  const worked = (await probe.worked()) - before
  say(`${TAIL_SECONDS} s of about 10 appends/s`, `${Math.round(worked)} ms at work, longest task ${tasks.wall} ms, of it ${tasks.cpu} ms at work, heap ${(await probe.heap()).toFixed(1)} MB`)
})
