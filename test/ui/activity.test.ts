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

test("axes say each figure once, and charts that do not fit are scrolled by keyboard", async () => {
  const server = await Server.start()
  const browser = await launch()
  const { page } = await openPage(browser)
  // What is written on every canvas since it was cleared.
  await page.addInitScript(() => {
    const written = new Map<HTMLCanvasElement, string[]>()
    Object.assign(window, { written })
    const { clearRect, fillText } = CanvasRenderingContext2D.prototype
    CanvasRenderingContext2D.prototype.clearRect = function (...args) {
      written.set(this.canvas, [])
      clearRect.apply(this, args)
    }
    CanvasRenderingContext2D.prototype.fillText = function (text, ...args) {
      if (text !== "") written.get(this.canvas)?.push(text)
      fillText.call(this, text, ...args)
    }
  })
  const axes = () =>
    page.evaluate(() =>
      [...(window as unknown as { written: Map<HTMLCanvasElement, string[]> }).written]
        .filter(([canvas]) => canvas.isConnected)
        .map(([, texts]) => texts.filter((text) => !/^\d\d:\d\d$/.test(text))),
    )
  await fetch(`${server.streams}/quiet`, { method: "PUT", headers: { "Content-Type": "application/json" }, body: "[1]" })
  await page.setViewportSize({ width: 700, height: 600 })
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  for (const [hash, first] of [["/activity", "Appends"], ["/s/quiet?tab=activity", "Messages"]]) {
    await page.evaluate((hash) => (location.hash = hash!), hash)
    await page.getByRole("img", { name: new RegExp(`^${first} per second`) }).waitFor()
    await page.getByRole("img", { name: /^Commit latency/ }).waitFor({ state: "attached" })
    await expect.poll(async () => (await axes()).filter((texts) => texts.length > 0).length).toBe(4)
    for (const texts of await axes()) expect(texts).toEqual([...new Set(texts)])
    expect(await accessibility(page)).toEqual([])
    const charts = page.getByRole("region", { name: "Charts" })
    await charts.focus()
    await page.keyboard.press("End")
    await expect.poll(() => charts.evaluate((region) => region.scrollTop)).toBeGreaterThan(0)
  }
  await page.close()
  await browser.close()
  expect(await server.stop()).toBe(0)
})
