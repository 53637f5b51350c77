import { expect, test } from "vitest"
import { accessibility } from "../lib/axe"
import { page, problems, server } from "../lib/stage"

test("a client that invents offsets and one that goes on after it was fenced are found", async () => {
  const json = { "Content-Type": "application/json", "User-Agent": "shop/1" }
  await fetch(`${server.streams}/orders`, { method: "PUT", headers: json })
  await page.goto(server.link)
  await page.waitForURL((url) => !url.hash.includes("code"))
  await page.getByRole("link", { name: "Findings" }).click()
  await page.getByText("Nothing to find fault with").waitFor()

  await fetch(`${server.streams}/orders?offset=0000000000000000_0000000000000099`, { headers: json })
  const write = (epoch: number) =>
    fetch(`${server.streams}/orders`, { method: "POST", headers: { ...json, "Producer-Id": "p", "Producer-Epoch": String(epoch), "Producer-Seq": "0" }, body: "1" })
  expect((await write(1)).status).toBe(200)
  for (let i = 0; i < 3; i++) expect((await write(0)).status).toBe(403)

  const item = (rule: string) => page.getByRole("listitem").filter({ hasText: rule })
  await item("strange-offset").filter({ hasText: "PROTOCOL §8" }).filter({ hasText: "GET /v1/stream/orders?offset=0000000000000000_0000000000000099" }).waitFor()
  await item("shared-producer").filter({ hasText: 'as "p", epoch 0' }).filter({ hasText: "shop/1" }).waitFor()
  expect(await accessibility(page)).toEqual([])

  await page.getByRole("button", { name: "Forget all" }).click()
  await page.getByText("Nothing to find fault with").waitFor()
  expect(problems).toEqual([])
})
