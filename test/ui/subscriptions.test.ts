import { expect, test } from "vitest"
import { accessibility } from "../lib/axe"
import { page, problems, server } from "../lib/stage"

const json = { "Content-Type": "application/json" }

async function put(path: string, body?: unknown): Promise<void> {
  const response = await fetch(`${server.streams}/${path}`, { method: "PUT", headers: json, body: body === undefined ? undefined : JSON.stringify(body) })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
}

test("a webhook that fails is seen, delivered again, released and deleted", async () => {
  await page.goto(server.link)
  await page.waitForURL((url) => !url.hash.includes("code"))
  await page.getByRole("link", { name: "Subscriptions" }).click()
  await page.getByText("No subscriptions").waitFor()
  expect(await accessibility(page)).toEqual([])

  // The receiver is a stream of this server, which does not exist yet.
  await put("__ds/subscriptions/mailer", { type: "webhook", pattern: "orders/*", webhook: { url: `${server.streams}/inbox` }, lease_ttl_ms: 600_000 })
  await put("orders/eu", [1, 2, 3])
  const row = (name: string) => page.getByRole("grid", { name: "Subscriptions" }).getByRole("row").filter({ hasText: name })
  await row("mailer").filter({ hasText: /retrying.*failed/ }).waitFor()
  await page.keyboard.press("j")
  const side = page.getByRole("region", { name: "Subscription mailer" })
  await side.getByText("the receiver answered 404 Not Found").first().waitFor()
  await side.getByText("3 behind").waitFor()
  await side.getByText("1, 1 pending").waitFor()
  expect(await accessibility(page)).toEqual([])

  await put("inbox")
  await side.getByRole("button", { name: "Redeliver" }).click()
  await row("mailer").filter({ hasText: "leased" }).waitFor()
  await side.getByText("204", { exact: true }).first().waitFor() // a retry may have come before
  await side.getByText(/ends in (9|10) min/).waitFor()
  const [wake] = (await (await fetch(`${server.streams}/inbox`)).json()) as { generation: number }[]
  expect(wake?.generation).toBe(1)

  await side.getByRole("button", { name: "Release" }).click()
  await page.getByText("Took the lease away").waitFor()
  await row("mailer").filter({ hasText: "2" }).waitFor() // a new generation is on its way

  await side.getByRole("button", { name: "Delete …" }).click()
  const asked = page.getByRole("alertdialog")
  await asked.waitFor()
  expect(await accessibility(page)).toEqual([])
  await asked.getByRole("button", { name: "Delete" }).click()
  await page.getByText("No subscriptions").waitFor()
  expect((await fetch(`${server.streams}/__ds/subscriptions/mailer`)).status).toBe(404)
  expect(problems).toEqual([])
})

test("a wake that cannot be sent is no rest", async () => {
  await put("__ds/subscriptions/pool", { type: "pull-wake", pattern: "jobs/*", wake_stream: "missing", lease_ttl_ms: 60_000 })
  await page.goto(server.link)
  await page.waitForURL((url) => !url.hash.includes("code"))
  await page.evaluate(() => (location.hash = "/subscriptions?id=pool"))
  const side = page.getByRole("region", { name: "Subscription pool" })
  await side.getByText("Everything is acked.").waitFor()
  await put("jobs/1", ["a"])
  await side.getByText("There is something to do, but no wake of it can be sent.").waitFor()
  await page.getByRole("row").filter({ hasText: "pool" }).getByText("stuck").waitFor()
  await side.getByText(/"missing" does not take events/).waitFor()
  expect(problems).toEqual([])
})

test("a worker that claims is shown with its lease", async () => {
  await put("wakes")
  await put("__ds/subscriptions/pool", { type: "pull-wake", pattern: "jobs/*", wake_stream: "wakes", lease_ttl_ms: 60_000, description: "Builds" })
  await put("jobs/1", ["a"])
  const claim = await fetch(`${server.streams}/__ds/subscriptions/pool/claim`, { method: "POST", body: '{"worker":"w-1"}' })
  expect(claim.status).toBe(200)
  await page.goto(server.link)
  await page.waitForURL((url) => !url.hash.includes("code"))
  await page.evaluate(() => (location.hash = "/subscriptions?id=pool"))
  const side = page.getByRole("region", { name: "Subscription pool" })
  await side.getByText("w-1").waitFor()
  await side.getByText(/ends in \d+ s/).waitFor()
  await side.getByText("Builds").waitFor()
  expect(await side.getByRole("button", { name: "Redeliver" }).count()).toBe(0)
  await side.getByRole("link", { name: "wakes" }).click()
  await page.getByRole("heading", { name: "wakes" }).waitFor()
  expect(problems).toEqual([])
})
