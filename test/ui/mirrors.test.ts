import { expect, onTestFinished, test } from "vitest"
import { accessibility } from "../lib/axe"
import { Server } from "../lib/server"
import { page, problems, server } from "../lib/stage"

test("mirrors are listed with how far they are, paused, resumed and removed", async () => {
  const other = await Server.start()
  onTestFinished(async () => void (await other.stop()))
  const headers = { "Content-Type": "application/json" }
  await fetch(`${server.streams}/chat/room`, { method: "PUT", headers, body: '[{"say":"hello"}]' })

  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.getByRole("link", { name: "Mirrors" }).click()
  await page.getByText("No mirrors").waitFor()
  expect(await accessibility(page)).toEqual([])

  await server.run("mirror", "push", "chat/**", `${other.streams}/`, "--name", "rooms", "--detach")
  const rows = page.getByRole("grid", { name: "Mirrors" }).getByRole("row")
  await rows.filter({ hasText: "rooms" }).filter({ hasText: "up to date" }).click()
  const side = page.getByRole("complementary", { name: "Selected mirror" })
  await side.getByRole("link").filter({ hasText: "chat/room" }).waitFor()
  await side.getByText("nothing is missing").waitFor()
  expect(await (await fetch(`${other.streams}/chat/room`)).json()).toEqual([{ say: "hello" }])
  expect(await accessibility(page)).toEqual([])

  await side.getByRole("button", { name: "Pause" }).click()
  await rows.filter({ hasText: "paused" }).waitFor()
  await fetch(`${server.streams}/chat/room`, { method: "POST", headers, body: '{"say":"again"}' })
  await side.getByRole("button", { name: "Resume" }).click()
  await rows.filter({ hasText: "up to date" }).waitFor()
  await expect.poll(async () => ((await (await fetch(`${other.streams}/chat/room`)).json()) as unknown[]).length).toBe(2)

  // A server that is gone is told with its reason, and tried again.
  await other.stop()
  await fetch(`${server.streams}/chat/room`, { method: "POST", headers, body: '{"say":"third"}' })
  await rows.filter({ hasText: "retrying" }).waitFor()
  await side.getByText(/behind$/).waitFor()
  expect(await accessibility(page)).toEqual([])

  await side.getByRole("button", { name: "Remove …" }).click()
  await side.getByRole("button", { name: "Keep it" }).click()
  await side.getByRole("button", { name: "Remove …" }).click()
  await side.getByRole("button", { name: "Forget it" }).click()
  await page.getByText("No mirrors").waitFor()
  expect(problems).toEqual([])
})
