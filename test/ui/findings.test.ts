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

test("the rail counts what is new until somebody looks", async () => {
  const invent = (agent: string) => fetch(`${server.streams}/orders?offset=0000000000000000_0000000000000099`, { headers: { "User-Agent": agent } })
  const rail = (name: string) => page.getByRole("navigation", { name: "Main" }).getByRole("link", { name, exact: true })
  const items = page.getByRole("listitem")
  const look = async (name: string) => {
    const told = page.waitForResponse((response) => response.url().endsWith("/api/findings/seen"))
    await rail(name).click()
    expect((await told).status()).toBe(204)
  }
  await fetch(`${server.streams}/orders`, { method: "PUT", headers: { "Content-Type": "application/json" } })
  await invent("shop/1")
  await invent("shop/2")
  await page.goto(server.link)
  await rail("Findings, 2 new").waitFor()
  expect(await accessibility(page)).toEqual([])

  await look("Findings, 2 new")
  await rail("Findings").waitFor()
  await items.filter({ hasText: "shop/1" }).getByText("new", { exact: true }).waitFor()
  await items.filter({ hasText: "shop/2" }).getByText("new", { exact: true }).waitFor()
  await rail("Streams").click()
  await rail("Findings").waitFor()

  // What goes on is not new; another client is, also to a page that has not seen the others.
  await invent("shop/1")
  await invent("shop/3")
  await page.reload()
  await rail("Findings, 1 new").waitFor()
  await look("Findings, 1 new")
  await items.filter({ hasText: "shop/3" }).getByText("new", { exact: true }).waitFor()
  expect(await items.count()).toBe(3)
  expect(await items.getByText("new", { exact: true }).count()).toBe(1)
  expect(problems).toEqual([])
})
