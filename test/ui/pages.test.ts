import { once } from "node:events"
import { createServer, type Server as HttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Browser, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import { launch } from "../lib/browser"
import { Server } from "../lib/server"

// What web pages of others can do with the data listener.

let browser: Browser
let site: HttpServer
let port: number
let server: Server
let page: Page

beforeAll(async () => {
  browser = await launch("--host-resolver-rules=MAP evil.test 127.0.0.1")
  site = createServer((_, response) => response.setHeader("Content-Type", "text/html").end("<!doctype html><title>page</title>"))
  site.listen(0, "127.0.0.1")
  await once(site, "listening")
  port = (site.address() as AddressInfo).port
})

afterAll(async () => {
  await browser.close()
  site.close()
})

beforeEach(async () => {
  server = await Server.start()
  page = await browser.newPage({ ignoreHTTPSErrors: true })
})

afterEach(async () => {
  await page.close()
  expect(await server.stop()).toBe(0)
})

async function create(path: string, body = "", type = "text/plain"): Promise<void> {
  const response = await fetch(`${server.streams}/${path}`, { method: "PUT", body, headers: { "Content-Type": type } })
  expect(response.status).toBe(201)
}

async function append(path: string, body: string): Promise<void> {
  const response = await fetch(`${server.streams}/${path}`, { method: "POST", body, headers: { "Content-Type": "text/plain" } })
  expect(response.ok).toBe(true)
}

/** Opens an event source for each address and waits until all are connected. */
function tail(urls: string[]): Promise<void> {
  return page.evaluate(async (urls) => {
    const got: string[] = []
    Object.assign(window, { got })
    await Promise.all(
      urls.map(
        (url, i) =>
          new Promise<void>((connected, failed) => {
            const source = new EventSource(url)
            source.addEventListener("control", () => connected())
            source.addEventListener("data", (event) => (got[i] = (event as MessageEvent<string>).data))
            source.addEventListener("error", () => failed(new Error(`${url} failed`)))
          }),
      ),
    )
  }, urls)
}

/** Waits until every tail has a message, and returns them. */
async function messages(n: number): Promise<string[]> {
  const got = () => (window as unknown as { got: string[] }).got
  await page.waitForFunction((n) => Object.keys((window as unknown as { got: string[] }).got).length === n, n)
  return page.evaluate(got)
}

test("one page tails 30 streams at once over HTTPS", async () => {
  const n = 30
  for (let i = 0; i < n; i++) await create(`s${i}`)
  const cdp = await page.context().newCDPSession(page)
  const used: { protocol?: string; connectionId: number }[] = []
  cdp.on("Network.responseReceived", (e) => {
    if (e.response.url.startsWith(server.dataTlsUrl)) used.push(e.response)
  })
  await cdp.send("Network.enable")
  await page.goto(`http://localhost:${port}`)

  // Over HTTP/1.1 the seventh would wait for ever.
  await tail(Array.from({ length: n }, (_, i) => `${server.dataTlsUrl}/v1/stream/s${i}?offset=-1&live=sse`))
  for (let i = 0; i < n; i++) await append(`s${i}`, `message ${i}`)
  expect(await messages(n)).toEqual(Array.from({ length: n }, (_, i) => `message ${i}`))

  expect(used).toHaveLength(n)
  expect(new Set(used.map((r) => r.protocol))).toEqual(new Set(["h2"]))
  expect(new Set(used.map((r) => r.connectionId)).size).toBe(1)
})

test("one page tails 12 streams at once over HTTP, by names below localhost", async () => {
  const n = 12
  const { port: dataPort } = new URL(server.dataUrl)
  for (let i = 0; i < n; i++) await create(`s${i}`)
  await page.goto(`http://app.localhost:${port}`)
  await tail(Array.from({ length: n }, (_, i) => `http://s${i}.localhost:${dataPort}/v1/stream/s${i}?offset=-1&live=sse`))
  for (let i = 0; i < n; i++) await append(`s${i}`, `message ${i}`)
  expect(await messages(n)).toEqual(Array.from({ length: n }, (_, i) => `message ${i}`))
})

test("a foreign page can neither read nor write, nor tell what exists", async () => {
  await create("there", "the plan", "text/javascript")
  const { port: dataPort } = new URL(server.dataUrl)
  await page.goto(`http://evil.test:${port}`)
  const outcome = await page.evaluate(
    async ({ streams, rebound }) => {
      const attempt = async (url: string, init?: RequestInit) => {
        try {
          const response = await fetch(url, init)
          return response.type === "opaque" ? "opaque" : `${response.status} ${await response.text()}`
        } catch {
          return "failed"
        }
      }
      const load = (tag: "script" | "img" | "iframe", url: string) =>
        new Promise<string>((done) => {
          const element = document.createElement(tag)
          element.onload = () => done("load")
          element.onerror = () => done("error")
          element.src = url
          document.body.append(element)
        })
      return {
        read: await attempt(`${streams}/there`),
        write: await attempt(`${streams}/there`, { method: "POST", body: "x", headers: { "Content-Type": "text/plain" } }),
        blind: await attempt(`${streams}/there`, { method: "POST", mode: "no-cors", body: "x" }),
        create: await attempt(`${streams}/new`, { method: "PUT" }),
        remove: await attempt(`${streams}/there`, { method: "DELETE" }),
        rebinding: (await attempt(`${rebound}/v1/stream/there`)).replace(/ .*/s, ""),
        scripts: [await load("script", `${streams}/there`), await load("script", `${streams}/missing`)],
        images: [await load("img", `${streams}/there`), await load("img", `${streams}/missing`)],
        frames: [await load("iframe", `${streams}/there`), await load("iframe", `${streams}/missing`)],
      }
    },
    { streams: server.streams, rebound: `http://evil.test:${dataPort}` },
  )
  // The rebound name is an origin that the page may read; what it reads is a refusal.
  expect(outcome).toMatchObject({ read: "failed", write: "failed", create: "failed", remove: "failed" })
  expect(["failed", "403"]).toContain(outcome.rebinding)
  for (const [there, missing] of [outcome.scripts, outcome.images, outcome.frames]) expect(there).toBe(missing)

  // A form needs no permission to be sent.
  await page.setContent(`<form method="post" enctype="text/plain" action="${server.streams}/there"><input name="x" value="y"></form>`)
  await Promise.all([page.waitForNavigation(), page.evaluate(() => document.querySelector("form")?.submit())])
  expect(await page.content()).toContain("ORIGIN_NOT_ALLOWED")

  const now = await fetch(`${server.streams}/there`)
  expect(await now.text()).toBe("the plan")
  expect((await fetch(`${server.streams}/new`)).status).toBe(404)
})

test("a stream that is opened in the browser runs no scripts", async () => {
  await create("page", `<!doctype html><title>before</title><script>document.title = "ran"</script>`, "text/html")
  await page.goto(`${server.streams}/page`)
  expect(await page.title()).toBe("before")
})
