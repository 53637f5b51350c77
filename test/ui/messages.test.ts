import { readFileSync } from "node:fs"
import { beforeEach, expect, test } from "vitest"
import { accessibility } from "../lib/axe"
import { openPage } from "../lib/browser"
import { browser, page, problems, server } from "../lib/stage"

beforeEach(async () => {
  await put("log", [])
  for (let from = 0; from < 3000; from += 500) {
    await append(Array.from({ length: 500 }, (_, i) => ({ n: from + i, kind: (from + i) % 100 === 0 ? "rare" : "common" })))
  }
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await open("/s/log")
})

async function put(path: string, value: unknown): Promise<void> {
  const response = await fetch(`${server.streams}/${path}`, { method: "PUT", body: JSON.stringify(value), headers: { "Content-Type": "application/json" } })
  expect(response.ok).toBe(true)
}

async function append(value: unknown, path = "log"): Promise<void> {
  const body = typeof value === "string" ? value : JSON.stringify(value)
  const response = await fetch(`${server.streams}/${path}`, { method: "POST", body, headers: { "Content-Type": "application/json" } })
  expect(response.ok).toBe(true)
}

const open = (hash: string) => page.evaluate((hash) => (location.hash = hash), hash)
const message = (text: string) => page.getByRole("grid", { name: "Messages" }).getByRole("row").filter({ hasText: text })
const filter = () => page.getByRole("combobox", { name: "Filter messages" })

test("after a filter was typed the keys are the list's, whether it finds something or not", async () => {
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label"))
  const find = async (pattern: string) => {
    await page.keyboard.press("/")
    await filter().fill(pattern)
    await filter().press("Enter")
  }
  await message('"n":2999').waitFor()
  await find('$.kind = "rare"')
  await page.getByText("30 match").waitFor()
  await expect.poll(focused).toBe("Messages")

  await find('$.kind = "none"')
  await page.getByText("No message matches").waitFor()
  await expect.poll(focused).not.toBe("Filter messages")
  await find('$.n = 7')
  await message('"n":7').waitFor()
  await expect.poll(focused).toBe("Messages")
  await page.keyboard.press("j")
  await page.getByRole("region", { name: "Message 7" }).waitFor()
  expect(await filter().inputValue()).toBe("$.n = 7")

  // Who has begun to type anew is not interrupted.
  await find('$.kind = "none"')
  await page.getByText("No message matches").waitFor()
  await page.keyboard.press("/")
  await append({ n: 1, kind: "none" })
  await page.getByText("1 match").waitFor()
  await page.getByRole("grid", { name: "Messages" }).waitFor()
  expect(await focused()).toBe("Filter messages")
  expect(problems).toEqual([])
})

test("a filter finds, follows the tail, and is part of the address", async () => {
  await message('"n":2999').waitFor()
  await page.keyboard.press("/")
  await filter().fill('$.kind = "rare"')
  await filter().press("Enter")
  await page.getByText("30 match").waitFor()
  await message('"n":2900').waitFor()
  expect(await message('"n":2999').count()).toBe(0)

  await append([{ n: 9999, kind: "rare" }, { n: 1, kind: "common" }])
  await page.getByText("31 match").waitFor()
  await message('"n":9999').waitFor()

  await page.reload()
  await page.getByText("31 match").waitFor()
  expect(await filter().inputValue()).toBe('$.kind = "rare"')

  // Steps go from match to match.
  await page.keyboard.press("g")
  await page.getByRole("region", { name: "Message 0" }).waitFor()
  await page.keyboard.press("j")
  await page.getByRole("region", { name: "Message 100" }).waitFor()

  await page.keyboard.press("/")
  await filter().press("Escape")
  await page.getByText("31 match").waitFor({ state: "detached" })
  expect(problems).toEqual([])
})

test("filters that were used are offered again, and none is applied by itself", async () => {
  await put("other", [{ n: 1, kind: "rare" }])
  await message('"n":2999').waitFor()
  const find = async (text: string, by?: string) => {
    if (by !== undefined) await page.getByRole("combobox", { name: "Filter by" }).selectOption(by)
    await filter().fill(text)
    await filter().press("Enter")
    await page.getByText(/\d match/).waitFor()
    await filter().press("Escape")
    await page.getByText(/\d match/).waitFor({ state: "detached" })
  }
  await find('$.kind = "rare"')
  await find("$.n > 2990")
  const told = page.waitForResponse((r) => r.request().method() === "PATCH" && r.request().postData()?.includes("text=%22n%22%3A7") === true)
  await find('"n":7', "text")
  await told

  // Another stream, in another browser: nothing is filtered, and what fits is offered.
  const other = await openPage(browser)
  await other.page.goto(await server.freshLink())
  await other.page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await other.page.evaluate(() => (location.hash = "/s/other"))
  const shown = other.page.getByRole("grid", { name: "Messages" }).getByRole("row").filter({ hasText: '"n":1' })
  await shown.waitFor()
  const field = other.page.getByRole("combobox", { name: "Filter messages" })
  const offered = other.page.getByRole("listbox", { name: "Recent filters" }).getByRole("option")
  expect(await field.inputValue()).toBe("")
  await field.click()
  await expect.poll(() => offered.allInnerTexts()).toEqual(["$.n > 2990", '$.kind = "rare"'])
  expect(await accessibility(other.page)).toEqual([])
  await field.press("k")
  await expect.poll(() => offered.allInnerTexts()).toEqual(['$.kind = "rare"'])
  await field.press("ArrowDown")
  await field.press("Enter")
  await other.page.getByText("1 match").waitFor()
  expect(await field.inputValue()).toBe('$.kind = "rare"')
  expect(await offered.count()).toBe(0)
  expect([...problems, ...other.problems]).toEqual([])
  await other.page.close()
})

test("an address leads to a message, wherever it is", async () => {
  for (const n of [1234, 250, 2999]) {
    await open("/streams")
    await page.getByRole("heading", { name: "Streams" }).waitFor()
    await open(`/s/log?at=${n}`)
    await message(`"n":${n},`).waitFor()
    await page.getByRole("region", { name: `Message ${n.toLocaleString("en")}` }).waitFor()
  }
  // One that is not there yet leads to the list.
  await open("/streams")
  await open("/s/log?at=99999999999999999999")
  await page.getByRole("grid", { name: "Messages" }).getByRole("row", { name: /"n":0,/ }).waitFor()
  expect(problems).toEqual([])
})

test("a paused list is found again where it stood", async () => {
  const paused = page.getByRole("radio", { name: "Paused", checked: true })
  const top = () => new URLSearchParams(new URL(page.url()).hash.split("?")[1]).get("top")
  await message('"n":2999').waitFor()
  await page.keyboard.press("Space")
  await paused.waitFor()
  await expect.poll(top).toMatch(/^29\d\d$/)

  await page.getByRole("grid", { name: "Messages" }).evaluate((list) => (list.scrollTop = 1500 * 28))
  await expect.poll(top).toBe("1500")
  await page.reload()
  await message('"n":1500,').waitFor()
  await paused.waitFor()
  await page.getByRole("tab", { name: /^Readers/ }).click()
  await message('"n":1500,').waitFor({ state: "detached" })
  await page.getByRole("tab", { name: /^Messages/ }).click()
  await message('"n":1500,').waitFor()
  await paused.waitFor()

  await page.getByRole("radio", { name: "Follow" }).click()
  await message('"n":2999').waitFor()
  expect(top()).toBe(null)
  expect(problems).toEqual([])
})

test("a filter that is wrong says so", async () => {
  await page.getByRole("combobox", { name: "Filter by" }).selectOption("regex")
  await filter().fill("(")
  await filter().press("Enter")
  await page.getByText(/not a regular expression/).first().waitFor()
  await filter().fill("n.:29[0-9]+,")
  await filter().press("Enter")
  await page.getByText("110 match").waitFor()
  await filter().fill("no such thing")
  await filter().press("Enter")
  await page.getByText("No message matches").waitFor()
  await page.getByText("3,000 looked at.").waitFor()
})

test("a failed seek is forgotten once it is corrected", async () => {
  const field = page.getByRole("textbox", { name: "Seek to" })
  await page.keyboard.press("s")
  await field.fill("5000")
  await field.press("Enter")
  await page.getByText("The last message is 2,999.").waitFor()
  await field.fill("1500")
  await page.getByText("The last message is 2,999.").waitFor({ state: "detached" })
  await field.press("Enter")
  await message('"n":1500').waitFor()
  await field.fill("x")
  await field.press("Enter")
  await page.getByText(/whole number/).waitFor()
  await page.getByRole("button", { name: "First message" }).click()
  await page.getByText(/whole number/).waitFor({ state: "detached" })
  await page.getByRole("combobox", { name: "Seek by" }).selectOption("offset")
  await field.fill("0000000000000000_0000000000000042")
  await field.press("Enter")
  await page.getByRole("region", { name: "Message 42" }).waitFor()
})

test("two messages are compared, and one is saved as it was written", async () => {
  await put("docs", [])
  await append('[{"id":9007199254740993,"title":"old","same":1.0}, {"id":9007199254740993,"title":"new","same":1.0}]', "docs")
  await open("/s/docs?at=1")
  await page.getByRole("button", { name: "Compare with another message" }).click()
  const diff = page.getByRole("textbox", { name: "Message 1 against 0" })
  await diff.getByText('"new"').waitFor()
  await diff.getByText('"old"').waitFor()
  expect(await accessibility(page)).toEqual([])
  await page.getByRole("button", { name: "Compare with another message" }).click()

  const download = page.waitForEvent("download")
  await page.getByRole("button", { name: "Save" }).click()
  const saved = await download
  expect(saved.suggestedFilename()).toBe("docs-1.json")
  expect(readFileSync(await saved.path(), "utf8")).toBe('{"id":9007199254740993,"title":"new","same":1.0}')

  // The batch that it came with is one step away.
  await page.getByRole("button", { name: "0", exact: true }).click()
  await page.getByRole("region", { name: "Message 0" }).waitFor()
  expect(problems).toEqual([])
})

test("a large message opens in part, and whole when asked", async () => {
  await put("big", [])
  const items = Array.from({ length: 20_000 }, (_, i) => ({ i, text: "x".repeat(30) }))
  await append({ items, last: "the end" }, "big")
  await open("/s/big?at=0")
  await page.getByText(/ of 1\.\d MB shown/).waitFor()
  await page.getByRole("button", { name: "Load all" }).click()
  await page.getByText(/ of 1\.\d MB shown/).waitFor({ state: "detached" })
  await page.getByRole("treeitem").filter({ hasText: "20,000 items" }).waitFor()
  await page.getByRole("treeitem").filter({ hasText: "the end" }).waitFor()
  await page.getByRole("tab", { name: "Base64" }).click()
  await page.getByRole("tabpanel", { name: "Body as Base64" }).getByText(/^eyJpdGVtcyI6/).waitFor()

  // Two that differ only where neither opens by itself.
  await append({ items, last: "another end" }, "big")
  await open("/s/big?at=1&with=0")
  await page.getByText("What is shown is the same.").waitFor()
  await page.getByRole("button", { name: "Load all" }).click()
  const diff = page.getByRole("textbox", { name: "Message 1 against 0" })
  await diff.getByText('"another end"').waitFor()
  await diff.getByText('"the end"').waitFor()
  expect(await page.getByRole("button", { name: "Load all" }).count()).toBe(0)
})

test("nothing on the screen is hard to reach or to read", async () => {
  await message('"n":2999').click()
  await page.getByRole("region", { name: "Message 2,999" }).waitFor()
  await page.getByRole("img", { name: "Looking has no side effects" }).waitFor()
  expect(await accessibility(page)).toEqual([])
})
