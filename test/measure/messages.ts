import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, test } from "vitest"
import { launch } from "../lib/browser"
import { say, startPage } from "../lib/measure"
import { Probe, type Longest } from "../lib/probe"
import { Server } from "../lib/server"

const MESSAGES = 2_000_000
const BIG = 10_000_000
const TAIL_PER_SECOND = 5000
const TAIL_SECONDS = Number(process.env.TAIL_SECONDS ?? 120)

let browser: Browser
let server: Server
let page: Page
let probe: Probe

async function append(path: string, body: string): Promise<void> {
  const response = await fetch(`${server.streams}/${path}`, { method: "POST", body, headers: { "Content-Type": "application/json" } })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
}

const create = (path: string) => fetch(`${server.streams}/${path}`, { method: "PUT", headers: { "Content-Type": "application/json" } })

beforeAll(async () => {
  browser = await launch()
  server = await Server.start()
  await create("many")
  const batch = 20_000
  for (let from = 0; from < MESSAGES; from += batch) {
    const rows = Array.from({ length: batch }, (_, i) => `{"n":${from + i},"kind":"${(from + i) % 1000 === 0 ? "rare" : "common"}","text":"the race carries the spent water away"}`)
    await append("many", `[${rows.join(",")}]`)
  }
  await create("big")
  const items = Array.from({ length: BIG / 100 }, (_, i) => `{"id":${i},"name":"item ${i}","text":"${"x".repeat(60)}"}`)
  await append("big", `{"items":[${items.join(",")}]}`)
  await create("tail")
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  probe = await Probe.attach(page)
  await startPage(page, server)
})

afterAll(async () => {
  await browser.close()
  await server.stop()
})

/** Milliseconds, in the page, from an action until a row of the list shows a text, and those of them that the page was at work. */
async function until(text: string, act: () => Promise<unknown>): Promise<string> {
  await page.evaluate((text) => {
    const done = (start: number) => {
      const rows = document.querySelectorAll('[role="grid"][aria-label="Messages"] [role="row"]')
      if ([...rows].some((row) => row.textContent?.includes(text))) {
        ;(window as unknown as { took: number }).took = performance.now() - start
      } else requestAnimationFrame(() => done(start))
    }
    const once = new AbortController()
    const begin = () => {
      once.abort()
      done(performance.now())
    }
    for (const event of ["keydown", "hashchange"]) window.addEventListener(event, begin, { capture: true, signal: once.signal })
    ;(window as unknown as { took: number }).took = -1
  }, text)
  const before = await probe.worked()
  await act()
  await page.waitForFunction(() => (window as unknown as { took: number }).took >= 0)
  const worked = (await probe.worked()) - before
  const took = await page.evaluate(() => (window as unknown as { took: number }).took)
  return `${Math.round(took)} ms, of it ${Math.round(worked)} ms at work`
}

const goTo = (hash: string) => page.evaluate((hash) => (location.hash = hash), hash)

const ms = ({ wall, cpu }: Longest) => `longest task ${wall} ms, of it ${cpu} ms at work`

test("2,000,000 messages", async () => {
  const tasks = await probe.longest(async () => {
    say("first rows after opening the stream", await until(`"n":${MESSAGES - 1},`, () => goTo("/s/many")))
    say("jump to the start", await until('"n":0,', () => page.keyboard.press("g")))
    await page.keyboard.press("s")
    await page.keyboard.type("1000000")
    say("jump to the middle", await until('"n":1000000,', () => page.keyboard.press("Enter")))
    await page.getByRole("grid", { name: "Messages" }).focus()
    say("jump to the end", await until(`"n":${MESSAGES - 1},`, () => page.keyboard.press("G")))
  })
  say("meanwhile", ms(tasks))
  say("heap", `${(await probe.heap()).toFixed(1)} MB`)
})

test("a filter over all of them", async () => {
  for (const [by, pattern, matches] of [["text", '"n":1999999,', 1], ["path", '$.kind = "rare"', 2000], ["regex", "common", 1_998_000]] as const) {
    let took = 0
    const tasks = await probe.longest(async () => {
      const start = performance.now()
      await goTo(`/s/many?by=${by}&find=${encodeURIComponent(pattern)}`)
      await page.getByText(`${matches.toLocaleString("en")} match`).waitFor()
      await page.getByText("· all 2,000,000 read").waitFor()
      took = performance.now() - start
    })
    say(`${by} ${pattern}`, `${Math.round(took)} ms for ${matches.toLocaleString("en")}, heap ${(await probe.heap()).toFixed(1)} MB`)
    say("meanwhile", ms(tasks))
    await goTo("/s/many")
  }
})

test("a message of 10 MB", async () => {
  await goTo("/s/big")
  await page.getByRole("row", { name: /items/ }).waitFor()
  const capped = page.getByText(/ of 1\d\.\d MB shown/)
  const settle = () => page.waitForTimeout(1000)
  say("opened capped", ms(await probe.longest(async () => {
    await page.keyboard.press("j")
    await capped.waitFor()
    await settle()
  })))
  say("loaded whole, as a tree", ms(await probe.longest(async () => {
    await page.getByRole("button", { name: "Load all" }).click()
    await capped.waitFor({ state: "detached" })
    await settle()
  })))
  for (const view of ["Pretty", "Raw", "Hex", "Base64"]) {
    say(`whole as ${view.toLowerCase()}`, ms(await probe.longest(async () => {
      await page.getByRole("tab", { name: view }).click()
      await settle()
    })))
  }
})

test(`a tail at ${TAIL_PER_SECOND} messages/s`, async () => {
  await goTo("/s/tail")
  await page.getByText("No message yet").waitFor()
  let sent = 0
  const start = performance.now()
  const heaps: number[] = []
  const longest = { wall: 0, cpu: 0 }
  const per = TAIL_PER_SECOND / 50
  const write = async (seconds: number) => {
    while (performance.now() - start < seconds * 1000) {
      if (sent + per > ((performance.now() - start) / 1000) * TAIL_PER_SECOND) {
        await new Promise((resolve) => setTimeout(resolve, 5))
        continue
      }
      const rows = Array.from({ length: per }, (_, i) => `{"n":${sent + i},"text":"the race carries the spent water away"}`)
      await append("tail", `[${rows.join(",")}]`)
      sent += per
    }
  }
  for (let second = 10; second <= TAIL_SECONDS; second += 10) {
    const tasks = await probe.longest(() => write(second))
    longest.wall = Math.max(longest.wall, tasks.wall)
    longest.cpu = Math.max(longest.cpu, tasks.cpu)
    heaps.push(await probe.heap())
  }
  await page.getByRole("row", { name: new RegExp(`"n":${sent - 1},`) }).waitFor()
  say(`${sent.toLocaleString("en")} messages at ${Math.round((sent / (performance.now() - start)) * 1000)}/s`, ms(longest))
  say("heap every 10 s", heaps.map((mb) => mb.toFixed(1)).join(" ") + " MB")
  const shown = await page.getByRole("tab", { name: /^Messages/ }).textContent()
  say("messages that the page shows at the end", `${shown?.replace("Messages", "").trim()} of ${sent.toLocaleString("en")}`)
})
