import { connect } from "node:net"
import { expect, onTestFinished, test } from "vitest"
import { accessibility } from "../lib/axe"
import { Server } from "../lib/server"
import { openPage } from "../lib/browser"
import { browser, page, problems, server } from "../lib/stage"

const json = { "Content-Type": "application/json" }
const by = (epoch: number, seq: number) => ({
  ...json, "Producer-Id": "order-api", "Producer-Epoch": String(epoch), "Producer-Seq": String(seq),
})

async function append(path: string, headers: Record<string, string>, body = "[1]"): Promise<number> {
  const response = await fetch(`${server.streams}/${path}`, { method: "POST", headers, body })
  await response.arrayBuffer()
  return response.status
}

async function traffic(): Promise<void> {
  await fetch(`${server.streams}/orders`, { method: "PUT", headers: json })
  expect(await append("orders", by(3, 0), "[1,2]")).toBe(200)
  expect(await append("orders", by(3, 0))).toBe(204)
  expect(await append("orders", by(3, 9))).toBe(409)
  expect(await append("orders", by(4, 0))).toBe(200)
  expect(await append("orders", by(3, 1))).toBe(403)
  const secret = await fetch(`${server.streams}/orders?offset=-1&access_token=s3cr3t`, { headers: { Authorization: "Bearer s3cr3t", Cookie: "s3cr3t" } })
  await secret.arrayBuffer()
  await (await fetch(`${server.streams}/nothing`)).arrayBuffer()
}

test("requests say why, follow live, and keep no secret", async () => {
  await traffic()
  await page.goto(server.link)
  const rail = page.getByRole("complementary", { name: "Tailrace" })
  await rail.getByText("3 rejected").waitFor()
  await rail.getByRole("link", { name: "Requests" }).click()
  const rows = page.getByRole("grid", { name: "Requests" }).getByRole("row")
  await rows.getByText("order-api: expected seq 1, got 9").waitFor()
  await rows.getByText("order-api: seq 0 ≤ last 0").waitFor()
  await rows.getByText("order-api: epoch 3 is fenced by epoch 4").waitFor()
  expect(await rows.count()).toBe(9)
  expect(await rows.filter({ has: page.getByRole("gridcell", { name: "node", exact: true }) }).count()).toBe(8)
  expect(await accessibility(page)).toEqual([])

  // What comes appears on top.
  await append("orders", by(4, 1))
  await rows.nth(1).getByText("order-api: message 3, epoch 4 seq 1").waitFor()

  // Paused, rows stay, and what is new is counted.
  await page.getByRole("button", { name: "Pause" }).click()
  await append("orders", by(4, 1))
  await page.getByRole("button", { name: "1 new" }).waitFor()
  await rows.nth(1).getByText("seq 1").waitFor()
  await page.getByRole("button", { name: "1 new" }).click()
  await rows.nth(1).getByText("order-api: seq 1 ≤ last 1").waitFor()

  await page.keyboard.press("r")
  await page.waitForFunction(() => document.querySelectorAll('[aria-label="Requests"] [role="row"]').length === 4)
  await page.getByRole("combobox", { name: "Status" }).selectOption("409")
  await page.waitForFunction(() => document.querySelectorAll('[aria-label="Requests"] [role="row"]').length === 2)
  await page.keyboard.press("j")
  const detail = page.getByRole("region", { name: "Request 4" })
  await detail.getByText("Same epoch, and a seq beyond the last one plus 1").waitFor()
  await detail.getByText("Producer-Expected-Seq").waitFor()
  await detail.getByText("curl -i -X POST").waitFor()
  expect(await accessibility(page)).toEqual([])

  // The state is in the address.
  await page.reload()
  await detail.getByText("Producer-Expected-Seq").waitFor()

  await page.evaluate(() => (location.hash = "/requests?text=access_token"))
  await rows.getByText("0 to 3").click()
  const secret = page.getByRole("region", { name: /^Request \d+$/ })
  await secret.getByText("offset=-1&access_token=…").waitFor()
  await secret.getByText("not kept").first().waitFor()
  expect(await page.content()).not.toContain("s3cr3t")
  expect(problems.filter((line) => !line.includes("409"))).toEqual([])
})

test("another browser finds the requests as they were left, but an address comes first", async () => {
  await traffic()
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate(() => (location.hash = "/requests"))
  const told = (text: string) => page.waitForResponse((r) => r.request().method() === "PATCH" && r.request().postData()?.includes(text) === true)
  const filtered = told('"rejected=1&text=order-api"')
  await page.getByRole("radio", { name: /^Rejected/ }).click()
  await page.getByRole("textbox", { name: "Filter requests" }).fill("order-api")
  await filtered

  const other = await openPage(browser)
  await other.page.goto(await server.freshLink())
  const requests = other.page.getByRole("link", { name: "Requests" })
  const rows = other.page.getByRole("grid", { name: "Requests" }).getByRole("row")
  await expect.poll(() => requests.getAttribute("href")).toBe("#/requests?rejected=1&text=order-api")
  await requests.click()
  await expect.poll(() => rows.count()).toBe(3)
  expect(await other.page.getByRole("textbox", { name: "Filter requests" }).inputValue()).toBe("order-api")
  // From there the rail leads to all of them, and an address to what it says.
  await requests.click()
  await expect.poll(() => rows.count()).toBe(9)
  await other.page.evaluate(() => (location.hash = "/requests?method=PUT"))
  await expect.poll(() => rows.count()).toBe(2)
  // A stream's own requests are not filtered by it.
  await other.page.evaluate(() => (location.hash = "/s/orders?tab=requests"))
  await expect.poll(() => rows.count()).toBe(8)
  expect([...problems, ...other.problems]).toEqual([])
  await other.page.close()
})

test("an address names a request or a reader of this start only", async () => {
  await traffic()
  const leave = new AbortController()
  onTestFinished(() => leave.abort())
  const reader = await fetch(`${server.streams}/orders?offset=now&live=sse`, { signal: leave.signal })
  void reader.body?.pipeTo(new WritableStream()).catch(() => {})
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate(() => (location.hash = "/requests?request=2"))
  const detail = page.getByRole("region", { name: "Request 2" })
  await detail.getByText("curl -i -X POST").waitFor()
  // As of a server that was there before.
  await page.evaluate(() => (location.hash = "/requests?request=2-1700000000000"))
  await detail.getByText("This request is forgotten").waitFor()
  expect(await page.locator('[role="row"][aria-selected="true"]').count()).toBe(0)
  await page.getByRole("grid", { name: "Requests" }).getByText("order-api: messages 0 to 1").click()
  await page.reload()
  await detail.getByText("curl -i -X POST").waitFor()

  const rows = page.getByRole("grid", { name: "Readers" }).getByRole("row")
  await page.evaluate(() => (location.hash = "/readers?reader=1-1700000000000"))
  await rows.nth(1).waitFor()
  expect(await page.getByRole("button", { name: "Close detail" }).count()).toBe(0)
  await rows.nth(1).click()
  await page.getByRole("button", { name: "Close detail" }).waitFor()
  await page.reload()
  await page.getByRole("button", { name: "Close detail" }).waitFor()
})

test("a stream has its own requests, and a message its request", async () => {
  await traffic()
  const leave = new AbortController()
  for (const offset of ["-1", "now"]) {
    const response = await fetch(`${server.streams}/orders?offset=${offset}&live=sse`, { signal: leave.signal })
    void response.body?.pipeTo(new WritableStream()).catch(() => {})
  }
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate(() => (location.hash = "/s/orders?tab=requests"))
  await page.getByRole("tab", { name: "Requests 2 rejected" }).waitFor()
  const rows = page.getByRole("grid", { name: "Requests" }).getByRole("row")
  await rows.getByText("order-api: messages 0 to 1, epoch 3 seq 0").click()
  await page.getByRole("link", { name: "The 2 messages it wrote" }).click()
  const message = page.getByRole("region", { name: "Message 0" })
  await message.getByText("2 of 2").waitFor()
  await message.getByRole("button", { name: "POST" }).click()
  await page.getByRole("region", { name: /^Request \d+$/ }).getByText("order-api: messages 0 to 1").waitFor()
  leave.abort()
})

test("a message names the readers that have it while somebody looks", async () => {
  const lasting = await Server.start("--sse-max-age", "1h")
  onTestFinished(async () => void (await lasting.stop()))
  await fetch(`${lasting.streams}/log`, { method: "PUT", headers: { "Content-Type": "text/plain" } })
  for (let n = 0; n < 48; n++) { // more than a connection holds
    await fetch(`${lasting.streams}/log`, { method: "POST", headers: { "Content-Type": "text/plain" }, body: "x".repeat(1 << 20) })
  }
  const leave = new AbortController()
  onTestFinished(() => leave.abort())
  const phone = await fetch(`${lasting.streams}/log?offset=now&live=sse`, { signal: leave.signal, headers: { "User-Agent": "phone/2.1" } })
  void phone.body?.pipeTo(new WritableStream()).catch(() => {})

  const asked: string[] = []
  page.on("request", (request) => asked.push(new URL(request.url()).pathname))
  const looks = () => asked.filter((path) => path.endsWith("/messages/47/readers")).length
  await page.goto(lasting.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate(() => (location.hash = "/s/log?at=47"))
  const message = page.getByRole("region", { name: "Message 47" })
  await message.getByRole("button", { name: "1 of 1" }).waitFor()
  expect(looks()).toBe(0)

  // One more that takes nothing of what it is sent.
  const stuck = connect({ port: Number(new URL(lasting.dataUrl).port), host: "127.0.0.1" })
  onTestFinished(() => void stuck.destroy())
  stuck.pause().on("error", () => {})
  stuck.write("GET /v1/stream/log?offset=-1&live=sse HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: sleeper/1\r\n\r\n")
  await message.getByRole("button", { name: "1 of 2" }).click()
  const holders = message.getByRole("list", { name: "Readers of this message" })
  const row = (text: string | RegExp) => holders.getByRole("listitem").filter({ hasText: text })
  await row("has it").getByText(/127\.0\.0\.1:\d+/).waitFor()
  await row(/\d behind/).waitFor()

  // It is live: what is taken counts, and who leaves is gone.
  stuck.resume()
  await message.getByRole("button", { name: "2 of 2" }).waitFor()
  expect(await accessibility(page)).toEqual([])
  stuck.destroy()
  await message.getByRole("button", { name: "1 of 1" }).click()
  await holders.waitFor({ state: "detached" })
  // Two of the other questions later, nothing more has been asked here.
  const before = looks()
  const origins = () => asked.filter((path) => path.endsWith("/origin")).length
  const until = origins() + 2
  await expect.poll(origins).toBeGreaterThanOrEqual(until)
  expect(looks()).toBe(before)

  await message.getByRole("button", { name: "1 of 1" }).click()
  await row("has it").getByRole("link").click()
  await page.getByRole("region", { name: /^Reader / }).getByText("phone/2.1").waitFor()
  expect(problems).toEqual([])
})

test("producers show what became of their appends, and where a rival was fenced", async () => {
  await traffic()
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate(() => (location.hash = "/s/orders?tab=producers"))
  const row = page.getByRole("grid", { name: "Producers" }).getByRole("row").nth(1)
  await row.getByText("order-api").waitFor()
  // Epoch, last seq, accepted, duplicates, gaps, fenced.
  const cells = await row.getByRole("gridcell").allInnerTexts()
  expect([cells[1], cells[2], ...cells.slice(4, 8)]).toEqual(["4", "0", "2", "1", "1", "1"])
  expect(cells[8]).toMatch(/from 3 by /)
  await page.getByRole("img", { name: /Epoch 3 of order-api: .*1 fenced/ }).waitFor()
  await page.getByRole("img", { name: "Epoch 4 of order-api: 1 stored" }).waitFor()
  await page.keyboard.press("j")
  await page.getByText("200, fences epoch 4").waitFor()
  expect(await accessibility(page)).toEqual([])
  await append("orders", by(4, 1))
  await page.getByRole("img", { name: "Epoch 4 of order-api: 2 stored" }).waitFor()
  expect(problems).toEqual([])
})

test("of many producers the latest are listed, others are found or asked for", async () => {
  await fetch(`${server.streams}/orders`, { method: "PUT", headers: json })
  for (let i = 0; i < 210; i += 10) {
    await Promise.all(
      Array.from({ length: 10 }, (_, k) => {
        const id = `till-${String(i + k).padStart(3, "0")}`
        return fetch(`${server.streams}/orders`, {
          method: "POST", body: "1", headers: { ...json, "Producer-Id": id, "Producer-Epoch": "0", "Producer-Seq": "0" },
        })
      }),
    )
  }
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.getByRole("row").filter({ hasText: "orders" }).click()
  await page.getByRole("link", { name: "205 more" }).click()
  const count = page.getByTestId("producer-count")
  await count.filter({ hasText: /^200 of 210,/ }).waitFor()
  await page.getByText("The 100 of 210 producers that wrote last.").waitFor()
  const grid = page.getByRole("grid", { name: "Producers" })
  expect(await grid.getAttribute("aria-rowcount")).toBe("201")
  await page.getByRole("button", { name: "Show 10 more" }).click()
  await count.filter({ hasText: /^210 of 210,/ }).waitFor()
  await page.keyboard.press("/")
  await page.keyboard.type("TILL-007")
  await count.filter({ hasText: "1 of 1 found" }).waitFor()
  await grid.getByText("till-007").click()
  await page.getByRole("region", { name: "Producer till-007" }).waitFor()
  await page.getByRole("img", { name: "Epoch 0 of till-007: 1 stored" }).waitFor()
  expect(await page.getByRole("img", { name: /^Epoch 0 of till-/ }).count()).toBe(1)
  expect(await accessibility(page)).toEqual([])
  // One that was chosen stays so, also where others are listed.
  await page.getByRole("textbox", { name: "Filter producers" }).fill("till-1")
  await count.filter({ hasText: "100 of 100 found" }).waitFor()
  await page.reload()
  await count.filter({ hasText: "100 of 100 found" }).waitFor()
  await page.getByRole("region", { name: "Producer till-007" }).waitFor()
  await page.getByRole("textbox", { name: "Filter producers" }).fill("nobody")
  await page.getByRole("region", { name: "Producer till-007" }).waitFor()
  expect(problems).toEqual([])
})

test("without a journal the page says so", async () => {
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  server.writeConfig("journal = false\n")
  await page.evaluate(() => (location.hash = "/requests"))
  await page.getByText("Requests are not recorded.").waitFor()
  await page.getByRole("link", { name: "Settings" }).first().waitFor()
  server.writeConfig("journal = true\n")
  await page.getByText("No request yet").waitFor()
})

test("readers are listed with their lag, and can be disconnected", async () => {
  await fetch(`${server.streams}/chat`, { method: "PUT", headers: json })
  const leave = new AbortController()
  const reading = await fetch(`${server.streams}/chat?offset=now&live=sse`, { signal: leave.signal, headers: { "User-Agent": "phone/2.1" } })
  const poll = async () => {
    while (!leave.signal.aborted) await fetch(`${server.streams}/chat?offset=now&live=long-poll`, { signal: leave.signal }).catch(() => {})
  }
  void poll()
  await page.goto(server.link)
  await page.getByRole("link", { name: "Readers" }).click()
  const rows = page.getByRole("grid", { name: "Readers" }).getByRole("row")
  await rows.getByText("long-poll").waitFor()
  await rows.getByText("SSE", { exact: true }).waitFor()
  if (process.platform === "linux") {
    // The column tells the program: it is found by what stands there.
    await page.getByRole("textbox", { name: "Filter readers" }).fill(`pid ${process.pid}`)
    await page.waitForURL((url) => url.hash.includes("who=pid"))
    await rows.getByText("SSE", { exact: true }).waitFor()
    await page.getByRole("textbox", { name: "Filter readers" }).fill(`pid ${process.pid}0`)
    await page.getByText("No reader matches").waitFor()
    await page.getByRole("textbox", { name: "Filter readers" }).fill("")
    await rows.getByText("SSE", { exact: true }).waitFor()
  }
  expect(await rows.count()).toBe(3)
  expect(await accessibility(page)).toEqual([])
  await page.getByRole("button", { name: /^SSE ?1$/ }).click()
  await page.waitForFunction(() => document.querySelectorAll('[aria-label="Readers"] [role="row"]').length === 2)
  await page.keyboard.press("j")
  const detail = page.getByRole("region", { name: "Reader detail" })
  await detail.getByText("phone/2.1").waitFor()
  await detail.getByText("At the tail").waitFor()
  if (process.platform === "linux") await detail.getByText(`pid ${process.pid}`).waitFor()
  expect(await accessibility(page)).toEqual([])

  // Disconnected, its response ends.
  await page.getByRole("button", { name: "Disconnect", exact: true }).click()
  for await (const _ of reading.body!) void _
  await page.getByText("has left").waitFor()
  await page.evaluate(() => (location.hash = "/s/chat?tab=readers"))
  await rows.getByText("long-poll").waitFor()
  leave.abort()
  await page.getByText("Nobody is reading live").waitFor()
  expect(problems).toEqual([])
})
