import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { accessibility } from "../lib/axe"
import { page, problems, server } from "../lib/stage"

test("a stream tells where its parts lie, before and after it was compacted", async () => {
  const keep = mkdtempSync(join(tmpdir(), "tailrace-keep-"))
  onTestFinished(() => rmSync(keep, { recursive: true, force: true }))
  const headers = { "Content-Type": "application/json" }
  const messages = JSON.stringify(Array.from({ length: 500 }, (_, n) => ({ n, pad: "x".repeat(300) })))
  await fetch(`${server.streams}/empty`, { method: "PUT", headers })
  await fetch(`${server.streams}/logs/a`, { method: "PUT", headers, body: messages })
  await fetch(`${server.streams}/logs/fork`, { method: "PUT", headers: { ...headers, "Stream-Forked-From": "/v1/stream/logs/a" } })

  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate(() => (location.hash = "/s/empty?tab=storage"))
  await page.getByText("Nothing is stored").waitFor()
  await page.evaluate(() => (location.hash = "/s/logs%2Fa?tab=storage"))
  const parts = page.getByRole("table", { name: "Parts of the stream" })
  await parts.getByRole("row").filter({ hasText: "large segments" }).filter({ hasText: "extents/00000001.extent" }).waitFor()
  await page.getByRole("img", { name: "In the log: 500 messages" }).waitFor()
  await page.getByText("would free nothing as long as 1 fork").waitFor()
  expect(await accessibility(page)).toEqual([])

  await server.run("snapshot", "compact", "logs/a", "--to", keep)
  await fetch(`${server.streams}/logs/a`, { method: "POST", headers, body: "[1,2]" })
  await page.keyboard.press("r")
  await page.getByRole("img", { name: "In a snapshot: 500 messages, In the log: 2 messages" }).waitFor()
  await parts.getByRole("row").filter({ hasText: "In a snapshot" }).filter({ hasText: keep }).waitFor()
  expect(await accessibility(page)).toEqual([])

  await page.evaluate(() => (location.hash = "/s/logs%2Ffork?tab=storage"))
  await page.getByRole("img", { name: "Inherited: 500 messages" }).waitFor()
  await parts.getByRole("link").filter({ hasText: "logs/a" }).click()
  await page.getByRole("img", { name: /^In a snapshot/ }).waitFor()
  expect(problems).toEqual([])
})
