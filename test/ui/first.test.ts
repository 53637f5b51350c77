import { expect, onTestFinished, test } from "vitest"
import { accessibility } from "../lib/axe"
import { browser, page, problems, server } from "../lib/stage"

test("the page without streams can be used by everybody", async () => {
  await page.goto(server.link)
  await page.getByText("Nothing here yet").waitFor()
  await page.getByRole("heading", { name: "Create a stream" }).waitFor()
  expect(await accessibility(page)).toEqual([])
  expect(problems).toEqual([])
})

test("a locked page says what opens it, and what was wrong", async () => {
  await page.goto(server.inspectorUrl)
  const locked = page.getByRole("heading", { name: "This window is locked" })
  await locked.waitFor()
  expect(await accessibility(page)).toEqual([])

  // A code that is none.
  const field = page.getByRole("textbox", { name: "Link or code" })
  await field.fill("not-a-code")
  await page.getByRole("button", { name: "Unlock" }).click()
  await page.getByRole("alert").getByText("this link was used before").waitFor()
  expect(await accessibility(page)).toEqual([])

  // A token that is kept from another server.
  await field.fill(server.link)
  await page.getByRole("button", { name: "Unlock" }).click()
  await page.getByText("Nothing here yet").waitFor()
  await page.evaluate(() => {
    for (const store of [sessionStorage, localStorage]) {
      for (const key of Object.keys(store)) if (key.includes("token")) store.setItem(key, "another")
    }
  })
  await page.reload()
  await locked.waitFor()
  expect(await accessibility(page)).toEqual([])
  await field.fill(await server.freshLink())
  await page.getByRole("button", { name: "Unlock" }).click()
  await page.getByText("Nothing here yet").waitFor()
})

test("a place that is gone to while the page is still being let in is shown", async () => {
  let letIn = () => {}
  const held = new Promise<void>((resolve) => (letIn = resolve))
  await page.route("**/api/session", async (route) => {
    await held
    await route.continue()
  })
  await page.goto(server.link)
  await page.waitForURL((url) => !url.hash.includes("code"))
  await page.evaluate(() => {
    const followed = new Promise((resolve) => window.addEventListener("hashchange", resolve, { once: true }))
    location.hash = "/requests"
    return followed.then(() => undefined)
  })
  letIn()
  await page.getByRole("heading", { name: "Requests" }).waitFor()
})

const DAY_MINUTES = 24 * 60

/** How far apart two texts are that end in a time of day, in minutes; seconds have to agree. */
function apart(later: string, earlier: string): number {
  const [a, b] = [later, earlier].map((text) => /(\d\d):(\d\d):(\d\d\.\d{3})$/.exec(text.trim()))
  if (!a || !b || a[3] !== b[3]) throw new Error(`no times, or of other seconds: ${later}, ${earlier}`)
  const minutes = (Number(a[1]) - Number(b[1])) * 60 + Number(a[2]) - Number(b[2])
  return (minutes + DAY_MINUTES) % DAY_MINUTES
}

test("times are local or UTC, wherever they stand", async () => {
  const INDIA = 5 * 60 + 30
  const headers = { "Content-Type": "application/json" }
  await fetch(`${server.streams}/a`, { method: "PUT", body: "[1]", headers })
  const context = await browser.newContext({ timezoneId: "Asia/Kolkata", viewport: { width: 1280, height: 800 } })
  onTestFinished(() => context.close())
  const there = await context.newPage()
  await there.goto(server.link)
  await there.locator('[data-state="live"]').waitFor({ state: "attached" })
  await there.evaluate(() => (location.hash = "/s/a?at=0"))
  const inRow = there.getByRole("grid", { name: "Messages" }).getByRole("row", { selected: true }).getByText(/^(?:\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{3}$/)
  const inDetail = there.getByRole("region", { name: "Message 0" }).locator("dd[title]").filter({ hasText: /\d\d:\d\d:\d\d\.\d{3}/ })
  /** The time in the table, in the details, and in what is shown on hovering over those. */
  const times = async () => {
    const detail = (await inDetail.innerText()).replace(/\s*·.*/s, "")
    return [await inRow.innerText(), detail, (await inDetail.getAttribute("title"))!]
  }
  const zone = there.getByRole("button", { name: /^(local time|UTC)$/ })
  await zone.getByText("local time").waitFor()
  await inRow.waitFor()
  const local = await times()
  expect(local[2]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC\+05:30$/)

  await zone.click()
  await zone.getByText("UTC").waitFor()
  const utc = await times()
  expect(utc[2]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/)
  for (const [i, text] of local.entries()) expect(apart(text.replace(/ UTC.*/, ""), utc[i]!.replace(/ UTC.*/, ""))).toBe(INDIA)
  expect(Math.abs(Date.parse(utc[2]!.replace(" ", "T").replace(" UTC", "Z")) - Date.now())).toBeLessThan(DAY_MINUTES * 60_000)

  // The choice is remembered, and undone as easily.
  await there.reload()
  await inRow.waitFor()
  await zone.getByText("UTC").waitFor()
  expect((await times())[2]).toBe(utc[2])
  await zone.click()
  await zone.getByText("local time").waitFor()
  expect((await times())[2]).toBe(local[2])
})
