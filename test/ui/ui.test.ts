import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, onTestFinished, test } from "vitest"
import { accessibility } from "../lib/axe"
import { Server } from "../lib/server"
import { browser, page, problems, server } from "../lib/stage"

/** Writes from outside, as an application would. */
async function write(method: string, path: string, type: string, body?: string, headers = {}): Promise<void> {
  const response = await fetch(`${server.streams}/${path}`, { method, body, headers: { "Content-Type": type, ...headers } })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
}

const append = (path: string, value: unknown) => write("POST", path, "application/json", JSON.stringify(value))

/** Messages shown, by the text of their row. */
const message = (text: string) => page.getByRole("grid", { name: "Messages" }).getByRole("row").filter({ hasText: text })

test("a stream is created, appended to from outside, paused, and deleted", async () => {
  await page.goto(server.link)
  // The code must not stay where it could be copied from.
  await page.waitForURL((url) => !url.hash.includes("code"))
  await page.getByText(`${server.streams}/`).first().waitFor()

  await page.keyboard.press("n")
  const create = page.getByRole("dialog", { name: "New stream" })
  await create.getByRole("textbox", { name: "Path" }).fill("chat/room-1")
  expect(await accessibility(page)).toEqual([])
  await create.getByRole("button", { name: "Create" }).click()
  await page.getByRole("row", { selected: true }).filter({ hasText: "room-1" }).dblclick()
  await page.getByRole("heading", { name: /room-1$/ }).waitFor()

  await append("chat/room-1", { text: "first" })
  await message("first").waitFor()

  await page.keyboard.press("Space")
  await page.getByRole("radio", { name: "Paused", checked: true }).waitFor()
  await append("chat/room-1", [{ text: "second" }, { text: "third" }])
  await page.getByText("2 new").waitFor()
  expect(await message("second").count()).toBe(0)
  await page.keyboard.press("Space")
  await message("third").waitFor()

  await page.getByRole("button", { name: /^More/ }).click()
  await page.getByRole("menuitem", { name: /Delete/ }).click()
  const sure = page.getByRole("alertdialog")
  await sure.getByRole("textbox").fill("room-1")
  await sure.getByRole("button", { name: /Delete/ }).click()
  await page.getByText(`${server.streams}/`).first().waitFor()
  expect((await fetch(`${server.streams}/chat/room-1`)).status).toBe(404)
  expect(problems).toEqual([])
})

test("a stream that is made anew begins without what was chosen in the one before", async () => {
  await write("PUT", "again", "application/json", JSON.stringify(Array.from({ length: 9 }, (_, n) => `old-${n}`)))
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate(() => (location.hash = "/s/again?at=8"))
  const detail = page.getByRole("region", { name: "Message 8" })
  await detail.waitFor()
  await append("again", "old-9")
  await page.getByRole("tab", { name: "Messages 10" }).waitFor()
  await fetch(`${server.streams}/again`, { method: "DELETE" })
  const gone = page.getByText("This stream is gone")
  await gone.waitFor()
  await message("old-8").waitFor()

  await write("PUT", "again", "application/json", '["new-0"]')
  await message("new-0").waitFor()
  await gone.waitFor({ state: "detached" })
  await page.getByRole("radio", { name: "Follow", checked: true }).waitFor()
  for (let n = 1; n <= 10; n++) await append("again", `new-${n}`)
  await message("new-10").waitFor()
  expect(await detail.count()).toBe(0)
  expect(new URL(page.url()).hash).toBe("#/s/again")
  expect(problems.filter((line) => !line.includes("404"))).toEqual([])
})

test("the list follows what happens outside", async () => {
  await write("PUT", "jobs/1", "text/plain", "line\n")
  await page.goto(server.link)
  const row = (name: string) => page.getByRole("row").filter({ hasText: name })
  await row("jobs/").first().waitFor()
  await write("PUT", "orders/eu", "application/json", "[1,2,3]")
  await row("eu").waitFor()
  await write("POST", "orders/eu", "application/json", "[4,5,6,7]")
  await row("eu").filter({ hasText: "7" }).waitFor()
  await write("POST", "orders/eu", "application/json", undefined, { "Stream-Closed": "true" })
  await row("eu").filter({ hasText: "closed" }).waitFor()
  await fetch(`${server.streams}/orders/eu`, { method: "DELETE" })
  await row("eu").waitFor({ state: "detached" })
  expect(problems).toEqual([])
})

test("a number is shown as it was written, and looking leaves the TTL alone", async () => {
  await write("PUT", "numbers", "application/json", '[{"id":9007199254740993,"ratio":1.0}]', { "Stream-TTL": "10" })
  // Reading keeps it alive until it is on screen, however long that takes.
  const reading = setInterval(() => void fetch(`${server.streams}/numbers`).catch(() => {}), 1000)
  onTestFinished(() => clearInterval(reading))
  await page.goto(server.link)
  await page.getByRole("row").filter({ hasText: "numbers" }).click()
  await page.keyboard.press("Enter")
  await message("9007199254740993").click()
  const detail = page.getByRole("complementary", { name: /message/i }).or(page.getByRole("region", { name: /message/i }))
  await detail.getByText("9007199254740993").first().waitFor()
  await detail.getByText("1.0").first().waitFor()
  clearInterval(reading)
  // Watched the whole time, the stream still expires.
  await page.getByText(/deleted|expired|gone|no stream/i).first().waitFor({ timeout: 60_000 })
  expect((await fetch(`${server.streams}/numbers`)).status).toBe(404)
})

test("producers show where they stand", async () => {
  await write("PUT", "orders", "application/json")
  for (const [epoch, seq] of [[0, 0], [0, 1], [1, 0]]) {
    await write("POST", "orders", "application/json", `{"epoch":${epoch}}`, {
      "Producer-Id": "worker-7",
      "Producer-Epoch": String(epoch),
      "Producer-Seq": String(seq),
    })
  }
  await page.goto(server.link)
  await page.getByRole("row").filter({ hasText: "orders" }).click()
  await page.keyboard.press("Enter")
  await page.getByRole("tab", { name: /Producers/ }).click()
  await page.getByRole("row").filter({ hasText: "worker-7" }).waitFor()
  expect(problems).toEqual([])
})

test("what comes after the last epoch is no append", async () => {
  const last = String(Number.MAX_SAFE_INTEGER)
  await write("PUT", "orders", "application/json")
  await write("POST", "orders", "application/json", "1", { "Producer-Id": "worker-7", "Producer-Epoch": last, "Producer-Seq": "0" })
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate(() => (location.hash = "/s/orders?tab=producers&producer=worker-7"))
  const rules = page.getByRole("region", { name: "Producer worker-7" }).getByRole("row")
  await rules.filter({ hasText: `${last} / 1` }).waitFor()
  const triples = (await rules.allInnerTexts()).slice(1).map((text) => text.split("\t")[0])
  expect(triples).toEqual([`${last} / 1`, `${last} / ≤ 0`, `${last} / ≥ 2`, "≤ 9007199254740990 / any"])
  expect(problems).toEqual([])
})

test("a stream that is gone offers nothing that would change it", async () => {
  await write("PUT", "brief", "application/json", "[1]")
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate(() => (location.hash = "/s/brief?at=0"))
  const detail = page.getByRole("region", { name: "Message 0" })
  const offers = ["Append again", "Fork before this message"].map((name) => detail.getByRole("button", { name }))
  for (const offer of offers) await offer.waitFor()
  await fetch(`${server.streams}/brief`, { method: "DELETE" })
  await page.getByText("This stream is gone").waitFor()
  for (const offer of offers) await offer.waitFor({ state: "detached" })
  await detail.getByRole("button", { name: "Copy as curl" }).waitFor()
})

test("appending from the page says what went wrong and what went right", async () => {
  await write("PUT", "notes", "application/json")
  await page.goto(server.link)
  await page.getByRole("row").filter({ hasText: "notes" }).click()
  await page.keyboard.press("Enter")
  await page.getByRole("button", { name: /^Append/ }).click()
  const compose = page.getByRole("dialog")
  const body = compose.getByRole("textbox").first()
  await body.fill('[{"n":1},{"n":2}]')
  await compose.getByText(/2 messages/).waitFor()
  await compose.getByRole("button", { name: /^Append/ }).click()
  await message('"n":2').waitFor()
  const items = await (await fetch(`${server.streams}/notes`)).json()
  expect(items).toEqual([{ n: 1 }, { n: 2 }])
  expect(problems).toEqual([])
})

test("a page without a link is locked, and a link opens once", async () => {
  const link = server.link
  await page.goto(server.inspectorUrl)
  await page.getByText("tailrace open").first().waitFor()
  await page.goto(link)
  await page.reload()
  await page.waitForURL((url) => !url.hash.includes("code"))
  const second = await browser.newPage()
  await second.goto(link)
  await second.getByText("tailrace open").first().waitFor()
  await second.close()
})

test("About links to a newer version, where the settings say whom to ask", async () => {
  const releases = createServer((_, response) => response.end(JSON.stringify({ tag_name: "v99.1.0", html_url: "https://forge.example/99" })))
  await new Promise<void>((listening) => releases.listen(0, "127.0.0.1", listening))
  const asking = await Server.start("--update-url", `http://127.0.0.1:${(releases.address() as AddressInfo).port}/latest`)
  try {
    await page.goto(await asking.freshLink())
    await page.getByRole("button", { name: /^New stream/ }).waitFor()
    // The server asks by itself, as it starts.
    await asking.printed("there is a newer version")
    await page.keyboard.press("?")
    await page.getByRole("button", { name: /^About Tailrace/ }).click()
    const about = page.getByRole("dialog", { name: "About Tailrace" })
    await about.getByText("99.1.0").first().waitFor()
    await about.getByRole("link", { name: "https://forge.example/99" }).waitFor()
    expect(await accessibility(page)).toEqual([])
  } finally {
    await asking.stop()
    releases.close()
  }
})

test("About tells the version and the licences of what it is built from", async () => {
  await page.goto(server.link)
  await page.getByRole("button", { name: /^New stream/ }).waitFor()
  await page.keyboard.press("?")
  await page.getByRole("button", { name: /^About Tailrace/ }).click()
  const about = page.getByRole("dialog", { name: "About Tailrace" })
  const licences = about.getByRole("region", { name: "Built from" })
  await licences.waitFor()
  for (const part of ["modernc.org/sqlite", "svelte", "Redistribution and use in source and binary forms"]) {
    expect(await licences.textContent()).toContain(part)
  }
  expect(await accessibility(page)).toEqual([])
  await about.getByRole("button", { name: "Done" }).click()
  await about.waitFor({ state: "detached" })
})
