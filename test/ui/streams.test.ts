import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { promisify } from "node:util"
import type { Response } from "playwright-core"
import { expect, test } from "vitest"
import { accessibility } from "../lib/axe"
import { openPage } from "../lib/browser"
import { browser, page, problems, server } from "../lib/stage"

async function create(path: string, body = "", type = "text/plain"): Promise<void> {
  const encoded = path.split("/").map(encodeURIComponent).join("/")
  const response = await fetch(`${server.streams}/${encoded}`, { method: "PUT", body, headers: { "Content-Type": type } })
  expect(response.status).toBe(201)
}

async function open(hash: string): Promise<void> {
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await go(hash)
}

const go = (hash: string) => page.evaluate((hash) => (location.hash = hash), hash)

const row = (text: string | RegExp) => page.getByRole("row").filter({ hasText: text })

test("streams are sorted, found from the palette, and appended to from the list", async () => {
  await create("small", "[1]", "application/json")
  await create("large", "[1,2,3,4,5]", "application/json")
  await create("empty", "[]", "application/json")
  await open("/streams")
  await page.getByRole("columnheader", { name: "Messages" }).getByRole("button").click()
  await expect.poll(() => page.locator('[role="row"][aria-rowindex="2"]').textContent()).toContain("large")
  await page.getByRole("columnheader", { name: "Messages" }).getByRole("button").click()
  await expect.poll(() => page.locator('[role="row"][aria-rowindex="2"]').textContent()).toContain("empty")

  await row("small").click()
  await page.keyboard.press("a")
  const dialog = page.getByRole("dialog", { name: "Append" })
  await dialog.getByRole("textbox", { name: "Body" }).fill("[7,8]")
  await dialog.getByText("2 messages").waitFor()
  expect(await accessibility(page)).toEqual([])
  await page.keyboard.press("Control+Enter")
  await dialog.waitFor({ state: "detached" })
  await row("small").filter({ hasText: "3" }).waitFor()

  await page.keyboard.press("Control+k")
  await page.getByRole("combobox").fill("lar")
  await page.getByRole("option", { name: /large/ }).waitFor()
  expect(await accessibility(page)).toEqual([])
  await page.keyboard.press("Enter")
  await page.getByRole("heading", { name: "large" }).waitFor()
  expect(problems).toEqual([])
})

test("another browser finds the list as it was left", async () => {
  await create("orders/1", "[1]", "application/json")
  await create("notes")
  await open("/streams")
  await page.keyboard.press("/")
  await page.keyboard.type("orders")
  await row("notes").waitFor({ state: "detached" })
  const told = page.waitForResponse((r) => r.request().method() === "PATCH" && r.request().postData()?.includes('"system"') === true)
  await page.getByRole("switch", { name: "System" }).click()
  await told
  const other = await openPage(browser)
  await other.page.goto(await server.freshLink())
  await other.page.getByText("1 of 2").waitFor()
  expect(await other.page.getByRole("row").filter({ hasText: "notes" }).count()).toBe(0)
  expect(await other.page.getByRole("switch", { name: "System" }).getAttribute("aria-checked")).toBe("true")

  // The rail leads back to the list as it was left, and from there to all of it.
  const streams = other.page.getByRole("link", { name: "Streams" })
  await other.page.getByRole("link", { name: "Readers" }).click()
  await streams.click()
  await other.page.getByText("1 of 2").waitFor()
  await streams.click()
  await other.page.getByRole("row").filter({ hasText: "notes" }).waitFor()
  expect([...problems, ...other.problems]).toEqual([])
  await other.page.close()
})

test("a list that is left for a stream is found again as it was", async () => {
  const names = Array.from({ length: 200 }, (_, i) => String(i).padStart(3, "0"))
  await Promise.all([...names.map((name) => create(`b/${name}`)), create("a/1"), create("a/2")])
  await open("/streams")
  await row("a/").first().click()
  await page.getByRole("row", { expanded: false }).filter({ hasText: "a/" }).waitFor()
  await page.keyboard.press("End")
  await row("199").waitFor()
  await page.keyboard.press("Enter")
  await page.getByRole("heading", { name: "199" }).waitFor()
  await page.goBack()
  await page.getByRole("row", { selected: true }).filter({ hasText: "199" }).waitFor()
  await page.keyboard.press("Home")
  await page.getByRole("row", { expanded: false }).filter({ hasText: "a/" }).waitFor()
  expect(problems).toEqual([])
})

test("the palette leads back to where one was", async () => {
  for (const path of ["one", "two", "three"]) await create(path)
  await open("/streams")
  for (const path of ["one", "two", "one", "three"]) {
    await page.evaluate((path) => (location.hash = `/s/${path}`), path)
    await page.getByRole("heading", { name: path }).waitFor()
    await page.getByText("No message yet").waitFor()
  }
  await page.keyboard.press("Control+k")
  const dialog = page.getByRole("dialog", { name: "Go to" })
  const options = dialog.getByRole("option")
  await dialog.getByText("Recent").waitFor()
  expect((await options.allInnerTexts()).slice(0, 2).map((text) => text.trim())).toEqual(["one", "two"])
  expect(await accessibility(page)).toEqual([])
  await page.keyboard.press("Enter")
  await page.getByRole("heading", { name: "one" }).waitFor()
  expect(problems).toEqual([])
})

test("the palette opens nothing that is not what was typed", async () => {
  let answer = (): void => {}
  const held = new Promise<void>((resolve) => (answer = resolve))
  await page.route(/\/api\/streams\?.*filter=deep/, async (route) => {
    await held
    await route.continue()
  })
  for (const path of ["a/first", "a/undeep", "b/deep", "c/other"]) await create(path)
  await open("/streams")
  await page.keyboard.press("Control+k")
  const dialog = page.getByRole("dialog", { name: "Go to" })
  const options = dialog.getByRole("option")
  const texts = () => options.evaluateAll((all) => all.map((option) => option.querySelector("bdi")?.textContent))
  await options.getByText("c/other").waitFor()
  // Made after the list was read, and the first by path of those that have the word.
  await create("a/deep")
  await page.keyboard.insertText("deep")
  await expect.poll(async () => (await texts()).toSorted()).toEqual(["a/undeep", "b/deep"])
  await page.keyboard.press("Enter")
  expect(await dialog.isVisible()).toBe(true)
  expect(new URL(page.url()).hash).toBe("#/streams")
  answer()
  await page.getByRole("heading", { name: /deep$/ }).waitFor()
  await dialog.waitFor({ state: "detached" })
  expect(problems).toEqual([])
})

test("what is chosen here stands against an older answer of the server", async () => {
  for (const path of ["one", "two"]) await create(path)
  const isMemory = (r: Response) => r.url().endsWith("/api/memory") && r.request().method() === "PATCH"
  await open("/streams")
  const first = page.waitForResponse(isMemory)
  await go("/s/one")
  await first
  const other = await openPage(browser)
  await other.page.goto(await server.freshLink())
  await other.page.locator('[data-state="live"]').waitFor({ state: "attached" })

  // The page asks what is remembered when it opens a stream. The answer tells of the theme chosen elsewhere, is
  // older than the visit, and arrives after the server has heard of that.
  let read = () => {}
  const answered = new Promise<void>((resolve) => (read = resolve))
  const visit = page.waitForResponse(isMemory)
  await page.route("**/api/memory", async (route) => {
    if (route.request().method() !== "GET") return answered.then(() => route.continue())
    const dark = other.page.waitForResponse(isMemory)
    await other.page.keyboard.press("Control+k")
    await other.page.getByRole("option", { name: "Dark theme" }).click()
    await dark
    const response = await route.fetch()
    read()
    await visit
    await route.fulfill({ response })
  })
  await go("/s/two")
  await page.locator('[data-theme="dark"]').waitFor()
  const recent = page.getByRole("navigation", { name: "Recent streams" })
  expect(await recent.getByRole("link").allInnerTexts()).toEqual(["two", "one"])
  expect([...problems, ...other.problems]).toEqual([])
  await other.page.close()
})

test("the moment of expiry is told in full", async () => {
  const headers = { "Content-Type": "text/plain", "Stream-TTL": "3600" }
  expect((await fetch(`${server.streams}/session`, { method: "PUT", headers })).status).toBe(201)
  await open("/streams")
  await row("session").getByTitle(/^Expires \d{4}-\d\d-\d\d \d\d:/).waitFor()
  await row("session").click()
  await page.getByRole("region", { name: "Selected stream" }).getByTitle(/^Expires \d{4}-/).waitFor()
})

test("a path that is written from right to left keeps the order of its parts", async () => {
  await create("שלום/עולם")
  await open(`/s/${encodeURIComponent("שלום/עולם")}`)
  await page.getByText("No message yet").waitFor()
  await page.getByRole("link", { name: "Streams" }).click()
  const row = page.getByRole("row").filter({ hasText: "עולם" })
  await row.waitFor()
  for (const place of [row, page.getByRole("navigation", { name: "Recent streams" })]) {
    // From left to right: the folder, the slash, the stream.
    const middles = await place.evaluate((element) => {
      const found: [text: string, middle: number][] = []
      const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
      for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
        for (const [i, char] of [...(node.textContent ?? "")].entries()) {
          if (!["ש", "/", "ע"].includes(char)) continue
          const range = document.createRange()
          range.setStart(node, i)
          range.setEnd(node, i + 1)
          const { left, right } = range.getBoundingClientRect()
          found.push([char, (left + right) / 2])
        }
      }
      return found.sort((a, b) => a[1] - b[1]).map(([char]) => char)
    })
    expect(middles).toEqual(["ש", "/", "ע"])
  }
  expect(problems).toEqual([])
})

test("a path that looks blank can be seen", async () => {
  await create("a/ ")
  await create("\u202etxt.exe")
  await open("/streams")
  await row("␣").waitFor()
  await row("‹202E›txt.exe").dblclick()
  await page.getByRole("heading", { name: /‹202E›txt\.exe/ }).waitFor()
  expect(await accessibility(page)).toEqual([])
})

test("a fork is made in the dialog", async () => {
  await create("source", '[{"n":1},{"n":2}]', "application/json")
  await open("/streams")
  await page.keyboard.press("n")
  const dialog = page.getByRole("dialog", { name: "New stream" })
  await dialog.getByRole("textbox", { name: "Path" }).fill("branch")
  await dialog.getByRole("textbox", { name: /^Fork of/ }).fill("source")
  await dialog.getByRole("textbox", { name: /^At offset/ }).fill("0000000000000000_0000000000000001")
  await dialog.getByRole("button", { name: "Create" }).click()
  await row("branch").filter({ hasText: "fork" }).waitFor()
  expect(await (await fetch(`${server.streams}/branch`)).json()).toEqual([{ n: 1 }])
})

test("what can be done with a stream is in its menu and in the palette", async () => {
  await create("orders/1", "[1]", "application/json")
  await open("/s/orders%2F1")
  const menu = page.getByRole("button", { name: /^More/ })
  await menu.click()
  await page.getByRole("menuitem", { name: "Snapshot …" }).click()
  await page.getByRole("dialog", { name: "Take a snapshot" }).waitFor()
  await page.keyboard.press("Escape")
  await menu.click()
  await page.getByRole("menuitem", { name: "Faults …" }).click()
  const streams = page.getByRole("textbox", { name: "Streams" })
  await streams.waitFor()
  expect(await streams.inputValue()).toBe("orders/1")

  await go("/s/orders%2F1")
  await page.getByRole("heading", { name: /1$/ }).waitFor()
  await page.keyboard.press("Control+k")
  await page.getByRole("dialog", { name: "Go to" }).getByRole("combobox").fill("export")
  await page.getByRole("option", { name: /Export/ }).click()
  await page.getByRole("dialog", { name: "Export messages" }).waitFor()
  await page.keyboard.press("Escape")

  // A moment is read in the zone that times are shown in.
  await page.getByRole("button", { name: "local time" }).click()
  await go("/streams")
  await page.keyboard.press("n")
  const dialog = page.getByRole("dialog", { name: "New stream" })
  await dialog.getByRole("textbox", { name: "Path" }).fill("soon")
  await dialog.getByRole("radio", { name: "until …" }).click()
  await dialog.getByLabel("Expires at, UTC").fill("2100-01-02T03:04:05")
  await dialog.getByRole("button", { name: /^Create/ }).click()
  await dialog.waitFor({ state: "detached" })
  const head = await fetch(`${server.streams}/soon`, { method: "HEAD" })
  expect(new Date(head.headers.get("stream-expires-at") ?? "").toISOString()).toBe("2100-01-02T03:04:05.000Z")
  expect(problems).toEqual([])
})

test("thousands of streams are a tree or a list that is read as it is looked at", async () => {
  for (let i = 0; i < 2500; i += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, k) => create(`many/${String(i + k).padStart(5, "0")}`)))
  }
  await open("/streams")
  await page.getByTestId("stream-count").filter({ hasText: "2,500" }).waitFor()
  const folder = page.getByRole("row", { expanded: false }).filter({ hasText: "many/" })
  const chosen = page.getByRole("row", { selected: true })
  const side = page.getByRole("region", { name: "Selected stream" }).getByText("02499").first()
  await folder.filter({ hasText: "2,500" }).click()
  await row("00000").waitFor()
  await page.keyboard.press("G")
  await chosen.filter({ hasText: "02499" }).waitFor()
  await side.waitFor()
  expect(await accessibility(page)).toEqual([])

  // The address has the open folder and the selected stream, which are found again: also in the other layout.
  await page.reload()
  await chosen.filter({ hasText: "02499" }).waitFor()
  await page.getByRole("radio", { name: "Flat" }).click()
  await chosen.filter({ hasText: "many/02499" }).waitFor()
  await page.reload()
  await chosen.filter({ hasText: "many/02499" }).waitFor()
  // A stream that goes moves all that follow, but not the selection.
  expect((await fetch(`${server.streams}/many/00000`, { method: "DELETE" })).status).toBe(204)
  await page.getByTestId("stream-count").filter({ hasText: "2,499" }).waitFor()
  await expect.poll(() => chosen.getAttribute("aria-rowindex")).toBe("2500")
  await chosen.filter({ hasText: "many/02499" }).waitFor()
  await page.getByRole("radio", { name: "Tree" }).click()
  await page.getByRole("row", { selected: true, level: 2 }).filter({ hasText: "02499" }).click()
  await page.keyboard.press("ArrowLeft")
  await page.getByRole("row", { expanded: true }).filter({ hasText: "many/" }).waitFor()
  await page.keyboard.press("ArrowLeft")
  await folder.filter({ hasText: "2,499" }).waitFor()
  await side.waitFor()
  await create("many/00000")
  await folder.filter({ hasText: "2,500" }).waitFor()

  // Words of which one alone has thousands of hits.
  await page.keyboard.press("Control+k")
  await page.getByRole("combobox").fill("many 2468")
  await page.getByRole("option", { name: "many/02468" }).waitFor()
  await page.keyboard.press("Escape")
  await create("many/99999")
  await page.getByTestId("stream-count").filter({ hasText: "2,501" }).waitFor()
  await page.getByRole("textbox", { name: "Filter streams" }).fill("many/0123*")
  await page.getByTestId("stream-count").filter({ hasText: "10 of" }).waitFor()
  await row("01239").waitFor()
  await page.getByRole("textbox", { name: "Filter streams" }).fill("many/0")
  await folder.filter({ hasText: "2,500" }).waitFor()
  expect(problems).toEqual([])
})

test("settings are in force at once, and a broken file is reported", async () => {
  await open("/settings")
  const origins = page.getByRole("textbox", { name: "cors_origins" })
  await origins.fill("nonsense")
  await origins.press("Enter")
  await page.getByRole("alert").waitFor()
  await origins.fill("http://app.test")
  await origins.press("Enter")
  await page.getByText("Saved cors_origins").waitFor()
  const seen = await fetch(`${server.dataUrl}/healthz`, { headers: { Origin: "http://app.test" } })
  expect(seen.status).toBe(200)
  const file = readFileSync(server.configFile, "utf8")
  expect(file).toContain('\ncors_origins = ["http://app.test"]\n')
  expect(file).toContain("# Tailrace configuration.")
  expect(await accessibility(page)).toEqual([])

  server.writeConfig("cors_origins = [\n")
  await page.getByText("The configuration file is not followed.").waitFor()
  expect((await fetch(`${server.dataUrl}/healthz`, { headers: { Origin: "http://app.test" } })).status).toBe(200)
  server.writeConfig("tls = false\n")
  await page.getByText("The configuration file is not followed.").waitFor({ state: "detached" })
  await page.getByText("after restart", { exact: true }).waitFor()
  expect((await fetch(`${server.dataUrl}/healthz`, { headers: { Origin: "http://app.test" } })).status).toBe(403)
})

test("a refusal is forgotten where another window has set the value meanwhile", async () => {
  await open("/settings")
  const other = await openPage(browser)
  await other.page.goto(await server.freshLink())
  await other.page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await other.page.evaluate(() => (location.hash = "/settings"))
  const field = page.getByRole("textbox", { name: "long_poll_timeout" })
  const set = async (value: string) => {
    const its = other.page.getByRole("textbox", { name: "long_poll_timeout" })
    await its.fill(value)
    await its.press("Enter")
    await expect.poll(() => field.inputValue()).toBe(value)
  }
  await set("8s")
  await field.fill("abc")
  await field.press("Enter")
  await page.getByRole("alert").waitFor()
  expect(await field.getAttribute("aria-invalid")).toBe("true")
  const toDefault = page.getByRole("button", { name: /^Default/ })
  await toDefault.waitFor()
  await set("9s")
  await page.getByRole("alert").waitFor({ state: "detached" })
  expect(await field.getAttribute("aria-invalid")).toBe("false")

  // The default takes back what was refused as well.
  await field.fill("abc")
  await field.press("Enter")
  await page.getByRole("alert").waitFor()
  await toDefault.click()
  await page.getByRole("alert").waitFor({ state: "detached" })
  await toDefault.waitFor({ state: "detached" })
  expect(await field.inputValue()).not.toBe("abc")
  await other.page.close()
})

test("the first commands lead from nothing to a message", async () => {
  const command = (title: string) => page.getByRole("listitem").filter({ hasText: title }).locator(".code")
  const paste = async (title: string) => promisify(execFile)("sh", ["-c", await command(title).innerText()])
  await open("/streams")
  await paste("Create a stream")
  await row("hello").click()
  await page.getByRole("link", { name: "Commands that append" }).click()
  await page.getByText("No message yet").waitFor()
  await command("Follow it").filter({ hasText: `${server.streams}/hello?offset=-1&live=sse` }).waitFor()
  expect(await accessibility(page)).toEqual([])
  await paste("Append to it")
  await row('{"n":2}').waitFor()

  // Text is not taken apart, and is sent as what the stream is.
  await create("notes", "", "text/markdown")
  await page.evaluate(() => (location.hash = "/s/notes"))
  await page.getByRole("heading", { name: "notes" }).waitFor()
  await paste("Append to it")
  await row("hello").waitFor()
  expect(problems).toEqual([])
})

test("the server's own streams are listed when there are no others", async () => {
  await create("hello")
  await open("/streams")
  await row("hello").waitFor()
  await page.getByRole("switch", { name: "System" }).click()
  await row("__registry__").waitFor()
  expect((await fetch(`${server.streams}/hello`, { method: "DELETE" })).status).toBe(204)
  await row("hello").waitFor({ state: "detached" })
  await row("__registry__").waitFor()
  await page.getByRole("switch", { name: "System" }).click()
  await page.getByText("Nothing here yet").waitFor()
  expect(problems).toEqual([])
})
