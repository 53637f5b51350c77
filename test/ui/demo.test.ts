import { expect, test } from "vitest"
import { accessibility } from "../lib/axe"
import { page, problems, server } from "../lib/stage"

test("demo traffic is started from the empty page, stopped, and removed", async () => {
  await page.goto(server.link)
  await page.getByRole("button", { name: "Start demo traffic" }).click()
  const row = (name: string) => page.getByRole("row").filter({ hasText: name })
  for (const name of ["support-retry", "todos", "build-381", "node-1"]) await row(name).first().waitFor()
  const banner = page.getByRole("status").filter({ hasText: "Demo traffic" })
  await banner.filter({ hasText: /for \d+ (s|min) more/ }).waitFor()
  expect(await accessibility(page)).toEqual([])

  await banner.getByRole("button", { name: "Stop" }).click()
  const ended = page.getByRole("status").filter({ hasText: "The demo traffic has ended" })
  await ended.filter({ hasText: /\d+ streams below demo\/ are left/ }).waitFor()
  await ended.getByRole("button", { name: "Remove it all" }).click()
  await page.getByText("Nothing here yet").waitFor()
  expect((await fetch(`${server.streams}/demo/chat/support`)).status).toBe(404)
  expect(problems).toEqual([])
})
