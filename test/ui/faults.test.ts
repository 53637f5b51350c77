import { expect, test } from "vitest"
import { accessibility } from "../lib/axe"
import { page, problems, server } from "../lib/stage"

test("a fault is armed, strikes, says so everywhere, and is disarmed", async () => {
  const text = { "Content-Type": "text/plain" }
  await fetch(`${server.streams}/chat/1`, { method: "PUT", headers: text })
  const append = () => fetch(`${server.streams}/chat/1`, { method: "POST", headers: text, body: "x" })
  await page.goto(server.link)
  await page.waitForURL((url) => !url.hash.includes("code"))
  await page.getByRole("link", { name: "Faults" }).click()
  await page.getByText("Nothing is armed").waitFor()

  await page.getByLabel("Status").fill("200")
  await page.getByRole("button", { name: "Arm", exact: true }).click()
  await page.getByRole("alert").filter({ hasText: "between 400 and 599" }).waitFor()
  await page.getByLabel("Status").fill("503")
  await page.getByLabel("Retry-After, seconds").fill("9")
  await page.getByRole("textbox", { name: "Streams" }).fill("chat/*")
  await page.getByRole("button", { name: "POST" }).click()
  for (const label of ["Times", "Armed for, minutes"]) {
    const before = await page.getByLabel(label).inputValue()
    await page.getByLabel(label).fill("0")
    await page.keyboard.press("Enter")
    await page.getByRole("alert").filter({ hasText: "is a whole number from 1 on" }).waitFor()
    await page.getByLabel(label).fill(before)
  }
  await page.getByText("Nothing is armed").waitFor()
  await page.getByLabel("Times").fill("2")
  await page.keyboard.press("Enter")
  const row = page.getByRole("table", { name: "Armed faults" }).getByRole("row").filter({ hasText: "Status 503 Retry-After 9" })
  await row.filter({ hasText: "2 times" }).waitFor()
  const banner = page.getByRole("status").filter({ hasText: "1 fault armed." })
  await banner.waitFor()
  expect(await accessibility(page)).toEqual([])

  const failed = await append()
  expect([failed.status, failed.headers.get("Retry-After")]).toEqual([503, "9"])
  await row.getByRole("cell", { name: "1", exact: true }).waitFor()
  expect((await append()).status).toBe(503)
  // It has happened as often as it should.
  await page.getByText("Nothing is armed").waitFor()
  expect((await append()).status).toBe(204)

  await page.getByLabel("What happens").selectOption("drop-after")
  await page.getByRole("button", { name: "Arm", exact: true }).click()
  await banner.waitFor()
  await expect(append()).rejects.toThrow()
  await page.getByRole("link", { name: "Streams", exact: true }).click()
  await banner.getByRole("button", { name: "Disarm all" }).click()
  await banner.waitFor({ state: "detached" })
  expect(await (await fetch(`${server.streams}/chat/1`)).text()).toBe("xx")
  // The refused form is what the browser logs by itself.
  expect(problems.filter((text) => !text.includes("422"))).toEqual([])
})
