import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, test } from "vitest"
import { launch } from "../lib/browser"
import { Server } from "../lib/server"
import { seed } from "../lib/seed"

const OUT = process.env.SCREENS ?? join(import.meta.dirname, "../../test-results/screens")
const SIZES = [
  { width: 1280, height: 800 },
  { width: 900, height: 600 },
]
const THEMES = ["light", "dark"] as const

let browser: Browser
let server: Server
let empty: Server
let lively: Server
/** What the lively one is mirrored to. */
let copy: Server
/** Where snapshots lie. */
let kept: string

beforeAll(async () => {
  mkdirSync(OUT, { recursive: true })
  browser = await launch()
  kept = mkdtempSync(join(tmpdir(), "tailrace-kept-"))
  server = await Server.start("--targets", `backups=${kept},lost=/nowhere/at/all`)
  empty = await Server.start()
  lively = await Server.start()
  await lively.run("demo", "--for", "1h")
  copy = await Server.start()
  await lively.run("mirror", "push", "demo/orders/*", `${copy.streams}/`, "--name", "orders", "--detach")
  await seed(server)
  await server.run("snapshot", "create", "orders/eu/events", "--target", "backups")
  await server.run("snapshot", "create", "chat/4f2a/turns", "--target", "backups")
  await server.run("snapshot", "create", "jobs/build-380/output", "--to", kept)
  await server.run("snapshot", "compact", "chat/4f2a/turns", "--target", "backups")
  await server.run("backup", "--target", "backups")
  await server.run("backup", "--target", "backups")
  for (let n = 60; n < 75; n++) {
    const body = JSON.stringify([{ kind: "turn.start", turn: `t_${n}`, role: "user" }, { kind: "delta", i: 0, text: " water" }])
    const headers = { "Content-Type": "application/json", "Producer-Id": "ai-gateway", "Producer-Epoch": "4", "Producer-Seq": String(n) }
    await fetch(`${server.streams}/chat/4f2a/turns`, { method: "POST", body, headers })
  }
  const elsewhere = mkdtempSync(join(tmpdir(), "tailrace-elsewhere-"))
  const { location } = JSON.parse(await lively.run("snapshot", "create", "demo/orders/eu", "--to", elsewhere, "--json")) as { location: string }
  copyFileSync(location, join(kept, "orders-of-monday.seg"))
  rmSync(elsewhere, { recursive: true })
})

afterAll(async () => {
  await browser.close()
  await server.stop()
  await empty.stop()
  await lively.stop()
  await copy.stop()
  rmSync(kept, { recursive: true, force: true })
})

/** Puts the places of an installed server where those of this run stand, so that pictures tell nothing of it. */
function tidy({ kept, from }: { kept: string; from: string[] }): void {
  const clean = (text: string) => {
    from.forEach((url, i) => {
      const name = i < 3 ? "http://127.0.0.1:4437" : "https://streams.example.com"
      text = text.replaceAll(url, name).replaceAll(url.slice(7), name.replace(/^\w+:\/\//, ""))
    })
    text = text.replaceAll(kept, "/var/backups").replace(/\/\S*\/tailrace-test-\w+\/data/g, "/home/me/.local/share/tailrace")
    return text.replace(/\/\S*\/tailrace-test-\w+\/config/g, "/home/me/.config")
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
    const text = clean(node.nodeValue ?? "")
    if (text !== node.nodeValue) node.nodeValue = text
  }
  for (const field of document.querySelectorAll("input")) {
    const text = clean(field.value)
    if (text !== field.value) field.value = text
  }
}

/** What is to be on the picture: where to go, what to do there, and what to undo for the next one. */
const SCREENS: Record<string, { at: string; act?: (page: Page) => Promise<void>; after?: (page: Page) => Promise<void>; empty?: boolean; lively?: boolean }> = {
  "first-run": { at: "/streams", empty: true },
  streams: { at: "/streams?stream=chat%2F4f2a%2Fturns" },
  "streams-create": { at: "/streams", act: (page) => page.keyboard.press("n") },
  messages: { at: "/s/chat%2F4f2a%2Fturns?at=205" },
  "messages-filter": { at: `/s/chat%2F4f2a%2Fturns?by=path&find=${encodeURIComponent('$.kind != "delta"')}&at=205` },
  "messages-empty-filter": { at: "/s/chat%2F4f2a%2Fturns?by=text&find=nothing-like-it" },
  "messages-diff": { at: "/s/chat%2F4f2a%2Fturns?at=205&with=104" },
  "streams-all": { at: "/streams?sort=messages&desc=1" },
  "palette": { at: "/s/chat%2F4f2a%2Fturns?at=205", act: async (page) => { await page.keyboard.press("Control+k"); await page.waitForTimeout(300); await page.keyboard.type("ch tu") } },
  "compose": { at: "/s/chat%2F4f2a%2Fturns?at=205", act: async (page) => { await page.getByRole("button", { name: "Append again" }).click(); await page.waitForTimeout(500) } },
  requests: { at: "/requests?rejected=1&request=", act: async (page) => { await page.getByText("expected seq").first().click() } },
  "requests-stream": { at: "/s/orders%2Feu%2Fevents?tab=requests" },
  "requests-none": { at: "/requests?text=nothing-like-it" },
  readers: { at: "/readers", lively: true, act: async (page) => { await page.waitForTimeout(1200); await page.keyboard.press("j"); await page.waitForTimeout(300) } },
  "readers-none": { at: "/readers", empty: true },
  producers: {
    at: "/s/demo%2Forders%2Fus?tab=producers",
    lively: true,
    act: async (page) => {
      await page.keyboard.press("j")
      await page.waitForTimeout(800)
    },
  },
  demo: { at: "/streams", lively: true },
  window: { at: "/s/demo%2Fchat%2Fsupport?at=60", lively: true, act: (page) => page.getByRole("region", { name: "Message 60" }).getByRole("tree").waitFor() },
  forks: { at: "/s/demo%2Fchat%2Fsupport?tab=forks", lively: true },
  subscriptions: { at: "/subscriptions?id=demo-mailer", lively: true, act: (page) => page.waitForTimeout(1000) },
  findings: { at: "/findings", lively: true, act: (page) => page.waitForTimeout(1000) },
  faults: {
    at: "/faults",
    lively: true,
    act: async (page) => {
      await page.getByLabel("Times").fill("1")
      await page.getByRole("textbox", { name: "Streams" }).fill("checkout/**")
      await page.getByRole("button", { name: "Arm", exact: true }).click()
      await page.waitForTimeout(1500)
      await page.getByRole("button", { name: "Dismiss" }).click()
    },
    after: async (page) => {
      await page.getByRole("button", { name: "Disarm all" }).click()
      await page.getByRole("button", { name: "Dismiss" }).click() // the next picture shall not tell of it
    },
  },
  activity: { at: "/activity", lively: true, act: (page) => page.waitForTimeout(1500) },
  snapshots: { at: "/snapshots" },
  "snapshots-selected": { at: "/snapshots?snapshot=2" },
  "snapshots-found": { at: "/snapshots?show=found", act: async (page) => { await page.keyboard.press("j"); await page.keyboard.press("v"); await page.waitForTimeout(800) } },
  "snapshots-stream": { at: "/s/chat%2F4f2a%2Fturns?tab=snapshots&snapshot=1" },
  "snapshots-backups": { at: "/snapshots?show=backups", act: async (page) => { await page.getByRole("grid", { name: "Backups" }).waitFor(); await page.keyboard.press("j"); await page.keyboard.press("v"); await page.waitForTimeout(1500) } },
  "snapshots-backups-none": { at: "/snapshots?show=backups", empty: true },
  "snapshots-backup": { at: "/snapshots?show=backups", act: (page) => page.keyboard.press("n") },
  mirrors: { at: "/mirrors?name=orders", lively: true, act: (page) => page.waitForTimeout(1200) },
  "mirrors-none": { at: "/mirrors", empty: true },
  "mirrors-new": {
    at: "/mirrors",
    lively: true,
    act: async (page) => {
      await page.keyboard.press("n")
      const dialog = page.getByRole("dialog")
      await dialog.getByLabel("Streams", { exact: true }).fill("chat/**")
      await dialog.getByLabel("Address of its streams").fill("https://streams.example.com/v1/stream/")
      await dialog.getByRole("radio", { name: "Token" }).click()
      await dialog.getByLabel("Token", { exact: true }).fill("not-a-real-token")
    },
  },
  storage: { at: "/s/chat%2F4f2a%2Fturns?tab=storage" },
  "activity-stream": { at: "/s/demo%2Fchat%2Fsupport?tab=activity", lively: true, act: (page) => page.waitForTimeout(1000) },
  "snapshots-empty": { at: "/snapshots", empty: true },
  "snapshots-take": { at: "/snapshots", act: (page) => page.keyboard.press("n") },
  "snapshots-prune": { at: "/snapshots", act: async (page) => { await page.getByRole("button", { name: /^More: restore/ }).click(); await page.getByRole("menuitem", { name: /Prune/ }).click(); await page.getByRole("button", { name: "Show what goes" }).click() } },
  export: { at: "/s/chat%2F4f2a%2Fturns?by=path&find=" + encodeURIComponent('$.kind != "delta"'), act: (page) => page.getByRole("button", { name: "Export" }).click() },
  import: { at: "/s/chat%2F4f2a%2Fturns", act: async (page) => { await page.getByRole("button", { name: /^More/ }).click(); await page.getByRole("menuitem", { name: /Import/ }).click() } },
  settings: { at: "/settings" },
  help: { at: "/streams", act: (page) => page.keyboard.press("?") },
  about: {
    at: "/streams",
    act: async (page) => {
      await page.keyboard.press("?")
      await page.getByRole("button", { name: /^About Tailrace/ }).click()
      await page.getByRole("region", { name: "Built from" }).waitFor()
    },
  },
  "messages-hex": { at: "/s/chat%2F4f2a%2Fturns?at=205&view=hex" },
}

for (const theme of THEMES) {
  for (const size of SIZES) {
    describe(`${theme} ${size.width}`, () => {
      const pages = new Map<Server, Page>()

      /** A page of its own for each server: the link is used once, the screens follow by their address. */
      async function open(from: Server): Promise<Page> {
        const known = pages.get(from)
        if (known !== undefined) return known
        const context = await browser.newContext({ viewport: size, colorScheme: theme, reducedMotion: "reduce" })
        const page = await context.newPage()
        page.on("console", (m) => m.type() === "error" && console.log(m.text()))
        page.on("pageerror", (e) => console.log(e.message))
        await page.goto(await from.freshLink())
        await page.locator('[data-state="live"]').waitFor({ state: "attached" })
        pages.set(from, page)
        return page
      }

      afterAll(async () => {
        for (const page of pages.values()) await page.context().close()
      })

      for (const [name, screen] of Object.entries(SCREENS)) {
        test(name, async () => {
          const page = await open(screen.empty ? empty : screen.lively ? lively : server)
          await page.keyboard.press("Escape")
          await page.evaluate((at) => (location.hash = at), screen.at)
          await page.waitForTimeout(400)
          await screen.act?.(page)
          await page.waitForTimeout(300)
          await page.evaluate(tidy, { kept, from: [server, empty, lively, copy].map(({ dataUrl }) => dataUrl) })
          await page.screenshot({ path: join(OUT, `${name}-${theme}-${size.width}.png`) })
          await screen.after?.(page)
        })
      }
    })
  }
}
