import { expect, test } from "vitest"
import { accessibility } from "../lib/axe"
import { launch, openPage } from "../lib/browser"
import { Server } from "../lib/server"

test("charts show what the server does, in all and for one stream", async () => {
  const server = await Server.start()
  const browser = await launch()
  const { page, problems } = await openPage(browser)
  const json = { "Content-Type": "application/json" }
  await fetch(`${server.streams}/busy`, { method: "PUT", headers: json })
  await page.goto(server.link)
  await page.getByRole("link", { name: "Activity" }).click()
  const appends = page.getByRole("img", { name: /^Appends per second/ })
  await appends.waitFor()
  const writing = setInterval(() => void fetch(`${server.streams}/busy`, { method: "POST", headers: json, body: "[1,2]" }), 50)
  await page.getByRole("img", { name: /^Appends per second: now [1-9]/ }).waitFor()
  await page.getByRole("img", { name: /^Commit latency: now .* ms and .* ms/ }).waitFor()
  expect(await accessibility(page)).toEqual([])
  await page.evaluate(() => (location.hash = "/s/busy?tab=activity"))
  await page.getByRole("img", { name: /^Messages per second: now [1-9]/ }).waitFor()
  await page.getByRole("img", { name: /^Commit latency: now (0\.[1-9]|[1-9]).* ms and .* ms/ }).waitFor()
  expect(await accessibility(page)).toEqual([])
  clearInterval(writing)
  expect(problems).toEqual([])
  await page.close()
  await browser.close()
  expect(await server.stop()).toBe(0)
})
