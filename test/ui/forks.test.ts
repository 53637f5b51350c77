import { expect, test } from "vitest"
import { accessibility } from "../lib/axe"
import { page, problems, server } from "../lib/stage"

const json = { "Content-Type": "application/json" }

test("forks show what they inherit and what they keep alive, and are made from a message", async () => {
  await fetch(`${server.streams}/chat`, { method: "PUT", headers: json, body: '["one","two","three"]' })
  await page.goto(server.link)
  await page.waitForURL((url) => !url.hash.includes("code"))
  await page.evaluate(() => (location.hash = "/s/chat?tab=forks"))
  await page.getByText("nothing was forked from it").waitFor()

  // From a message: the fork begins with what is before it.
  await page.getByRole("tab", { name: /^Messages/ }).click()
  await page.getByRole("grid", { name: "Messages" }).getByRole("row").filter({ hasText: "three" }).click()
  await page.getByRole("button", { name: "Fork before this message" }).click()
  const dialog = page.getByRole("dialog", { name: "Fork this stream" })
  await dialog.getByRole("textbox", { name: "Path" }).fill("chat/retry")
  expect(await accessibility(page)).toEqual([])
  await dialog.getByRole("button", { name: "Create" }).click()
  await page.getByRole("heading", { name: /retry$/ }).waitFor()
  expect(await (await fetch(`${server.streams}/chat/retry`)).json()).toEqual(["one", "two"])
  const row = (name: string) => page.getByRole("grid", { name: "Forks" }).getByRole("row").filter({ hasText: name })
  await row("retry").filter({ hasText: "2 · 10 B" }).waitFor()

  // At the tail, by key; and what is appended outside is its own.
  await page.keyboard.press("f")
  await page.getByRole("dialog", { name: "Fork this stream" }).getByRole("textbox", { name: "Path" }).fill("chat/again")
  await page.getByRole("dialog").getByRole("button", { name: "Create" }).click()
  await page.getByRole("heading", { name: /again$/ }).waitFor()
  await fetch(`${server.streams}/chat/again`, { method: "POST", headers: json, body: '["mine"]' })
  await row("again").filter({ hasText: /2 · 10 B.*1 · 6 B/ }).waitFor()

  // A deleted source stays for its forks, and says so.
  await fetch(`${server.streams}/chat`, { method: "DELETE" })
  await page.getByText("is deleted, but still on disk").waitFor()
  await row("chat").filter({ hasText: "deleted" }).waitFor()
  expect(await accessibility(page)).toEqual([])

  // By keyboard to the source, and on to the first fork.
  await page.keyboard.press("g")
  await page.keyboard.press("Enter")
  await page.getByRole("heading", { name: "chat", exact: true }).waitFor()
  await row("again").getByRole("link").click()
  await page.getByRole("heading", { name: /again$/ }).waitFor()
  expect(problems).toEqual([])
})

test("a deleted source is named although a screen does not show its path", async () => {
  await fetch(`${server.streams}/${encodeURIComponent("\u202eold")}`, { method: "PUT", headers: json, body: "[1]" })
  const from = { ...json, "Stream-Forked-From": `/v1/stream/${encodeURIComponent("\u202eold")}` }
  expect((await fetch(`${server.streams}/young`, { method: "PUT", headers: from })).status).toBe(201)
  await fetch(`${server.streams}/${encodeURIComponent("\u202eold")}`, { method: "DELETE" })
  await page.goto(server.link)
  await page.waitForURL((url) => !url.hash.includes("code"))
  await page.evaluate(() => (location.hash = "/s/young?tab=forks"))
  await page.getByText("‹202E›old is deleted, but still on disk").waitFor()
  expect(problems).toEqual([])
})

test("a deleted source that went with its last fork is gone, and nothing else is said of it", async () => {
  await fetch(`${server.streams}/source`, { method: "PUT", headers: json, body: '["one"]' })
  await fetch(`${server.streams}/heir`, { method: "PUT", headers: { ...json, "Stream-Forked-From": "/v1/stream/source" } })
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate(() => (location.hash = "/s/source?tab=forks"))
  await page.getByText("2 streams").waitFor()
  await fetch(`${server.streams}/source`, { method: "DELETE" })
  const kept = page.getByText("is deleted, but still on disk")
  await kept.waitFor()
  await fetch(`${server.streams}/heir`, { method: "DELETE" })
  await page.getByText("This stream is gone").waitFor()
  await kept.waitFor({ state: "detached" })
})
