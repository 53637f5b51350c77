import { expect, test } from "vitest"
import { accessibility } from "../lib/axe"
import { page, server } from "../lib/stage"

test("a page that does not hear its server says so, keeps what it shows, and goes on", async () => {
  const headers = { "Content-Type": "application/json" }
  await fetch(`${server.streams}/a`, { method: "PUT", body: '["before"]', headers })
  await page.goto(server.link)
  const status = page.getByRole("contentinfo")
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate(() => (location.hash = "/s/a"))
  const messages = page.getByRole("grid", { name: "Messages" })
  await messages.getByText('"before"').waitFor()

  server.freeze()
  const banner = page.getByText("The server does not answer.")
  await banner.waitFor()
  await page.getByText(/What you see is from \d\d:\d\d:\d\d\./).waitFor()
  await status.getByText(/disconnected/).waitFor()
  await messages.getByText('"before"').waitFor()
  expect(await accessibility(page)).toEqual([])
  await page.getByRole("button", { name: "Try now" }).click()
  await banner.waitFor()

  server.goOn()
  await banner.waitFor({ state: "detached" })
  await status.getByText(/^connected/).waitFor()
  await fetch(`${server.streams}/a`, { method: "POST", body: '["after"]', headers })
  await messages.getByText('"after"').waitFor()
})
