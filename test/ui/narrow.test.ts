import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { seed } from "../lib/seed"
import { page, problems, server } from "../lib/stage"

/** The window is never narrower than 720 px, a browser may be. */
const WIDTH = 700

/** The controls of the main area that nobody can reach with a pointer: beyond the window, or cut off by what does not scroll. */
function unreachable(): string[] {
  const found: string[] = []
  for (const control of document.querySelectorAll("main :is(button, input, select, textarea, summary, [role=switch], [role=radio])")) {
    if (!control.checkVisibility({ visibilityProperty: true })) continue
    const { left, right, width } = control.getBoundingClientRect()
    let [from, to] = [0, innerWidth]
    for (let box = control.parentElement; box !== null; box = box.parentElement) {
      const { overflowX } = getComputedStyle(box)
      if (overflowX === "auto" || overflowX === "scroll") break
      if (overflowX === "visible") continue
      const around = box.getBoundingClientRect()
      ;[from, to] = [Math.max(from, around.left), Math.min(to, around.right)]
    }
    if (width > 0 && (left < from - 1 || right > to + 1)) {
      found.push(`${control.getAttribute("aria-label") || control.textContent?.trim()}: ${left} to ${right}, of ${from} to ${to}`)
    }
  }
  return found
}

test("in a narrow window every control of every screen can be reached", async () => {
  const kept = mkdtempSync(join(tmpdir(), "tailrace-kept-"))
  onTestFinished(() => rmSync(kept, { recursive: true, force: true }))
  await seed(server)
  await server.run("snapshot", "create", "orders/eu/events", "--to", kept)
  // As many digits as with thousands of streams, readers and requests.
  await page.route(/\/api\/(streams|tree|requests|readers)\?/, async (route) => {
    const response = await route.fetch()
    const body = await response.text()
    await route.fulfill({ response, body: body.replace(/"(json|text|bytes|open|closed|fork|deleted|all|rejected)":\d+/g, '"$1":12345') })
  })
  await page.setViewportSize({ width: WIDTH, height: 700 })
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  const stream = `/s/${encodeURIComponent("orders/eu/events")}`
  // With what shows that a screen is there.
  const places: Record<string, string> = {
    "/streams": "12,345", "/streams?sort=messages": "12,345", "/readers": "long-poll", "/requests": "12,345", "/subscriptions": "Subscriptions",
    "/findings": "Findings", "/faults": "Faults", "/snapshots": "orders/eu/events", "/snapshots?show=found": "Nothing was found",
    "/snapshots?show=backups": "Back up now", "/mirrors": "Mirrors", "/activity": "Bytes per second", "/settings": "Settings",
    [stream]: "order.paid", [`${stream}?tab=producers`]: "order-api", [`${stream}?tab=readers`]: "SSE", [`${stream}?tab=requests`]: "order-api",
    [`${stream}?tab=forks`]: "No forks", [`${stream}?tab=snapshots`]: "Take one now", [`${stream}?tab=storage`]: "In the log",
    [`${stream}?tab=activity`]: "Bytes per second", [`${stream}?at=0`]: "1 of", [`${stream}?find=x`]: "looked at",
  }
  const cut: Record<string, string[]> = {}
  for (const [place, sign] of Object.entries(places)) {
    await page.evaluate((place) => (location.hash = place), place)
    await page.locator("main").getByText(sign).filter({ visible: true }).first().waitFor()
    const found = await page.evaluate(unreachable)
    if (found.length > 0) cut[place] = found
  }
  expect(cut).toEqual({})
  expect(problems).toEqual([])
})

test("the rail keeps to one line whatever it counts", async () => {
  // A live connection that tells of as many refusals, and then no more.
  let rejected = 999
  await page.route("**/api/events**", async (route) => {
    const info = await page.context().request.fetch(`${server.inspectorUrl}/api/info`, { headers: route.request().headers() })
    const events = [
      { type: "hello", info: await info.json() },
      { type: "requests", on: true, last: 99999, kept: 99999, rejected, stream: "", stream_all: 0, stream_rejected: 0 },
    ]
    await route.fulfill({ contentType: "application/x-ndjson", body: events.map((event) => `${JSON.stringify(event)}\n`).join("") })
  })
  await page.goto(server.link)
  const rail = page.getByRole("complementary", { name: "Tailrace" })
  for (const [count, name] of [[999, "999 rejected"], [51604, "51,604 rejected"]] as const) {
    rejected = count
    const link = rail.getByRole("link", { name: `Requests, ${name}` })
    await link.waitFor()
    const heights = await link.locator("span").evaluateAll((all) => all.map((span) => span.getBoundingClientRect().height))
    expect(Math.max(...heights)).toBeLessThanOrEqual((await link.boundingBox())!.height)
    const right = (await link.boundingBox())!.x + (await link.boundingBox())!.width
    expect(await link.locator("span").last().evaluate((span) => span.getBoundingClientRect().right)).toBeLessThanOrEqual(right)
  }
})
