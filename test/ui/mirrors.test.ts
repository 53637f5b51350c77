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

  const remove = side.getByRole("button", { name: "Remove …" })
  await remove.click()
  const asked = page.getByRole("alertdialog", { name: "Remove this mirror?" })
  await asked.waitFor()
  expect(await accessibility(page)).toEqual([])
  await page.keyboard.press("Escape")
  await asked.waitFor({ state: "detached" })
  await expect.poll(() => remove.evaluate((button) => button === document.activeElement)).toBe(true)
  await remove.click()
  await asked.getByRole("button", { name: "Remove" }).click()
  await page.getByText("No mirrors").waitFor()
  expect(problems).toEqual([])
})

const SECRET = "0123456789abcdef0123456789abcdef"

test("a mirror is made in the page, and its token given again", async () => {
  const other = await Server.start("--token", `all:full:**:${SECRET}`)
  onTestFinished(async () => void (await other.stop()))
  const headers = { "Content-Type": "application/json" }
  await fetch(`${server.streams}/chat/room`, { method: "PUT", headers, body: '[{"say":"hello"}]' })

  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.getByRole("link", { name: "Mirrors" }).click()
  await page.getByText("No mirrors").waitFor()
  await page.keyboard.press("n")
  const dialog = page.getByRole("dialog", { name: "New mirror" })
  const start = dialog.getByRole("button", { name: "Start" })
  const wrong = dialog.getByRole("alert")

  // What is missing or not allowed is said in the dialog.
  await start.click()
  await wrong.filter({ hasText: "Say which streams" }).waitFor()
  await dialog.getByLabel("Streams", { exact: true }).fill("chat/**")
  await start.click()
  await wrong.filter({ hasText: "Say which server" }).waitFor()
  const address = dialog.getByLabel("Address of its streams")
  await address.fill("http://streams.test/v1/stream/")
  await dialog.getByRole("switch", { name: /^Allow plain HTTP/ }).waitFor()
  await start.click()
  await wrong.filter({ hasText: "http:// is for this machine" }).waitFor()
  await address.fill(`${other.streams}/`)
  expect(await dialog.getByRole("switch", { name: /^Allow plain HTTP/ }).count()).toBe(0)
  await dialog.getByRole("radio", { name: "Token" }).click()
  await start.click()
  await wrong.filter({ hasText: "Paste the token" }).waitFor()
  expect(await accessibility(page)).toEqual([])

  // A token that the other server does not take is told as what it is, and replaced.
  await dialog.getByLabel("Token", { exact: true }).fill("fedcba9876543210fedcba9876543210")
  await dialog.getByLabel("Name").fill("rooms")
  await page.keyboard.press("Control+Enter")
  const side = page.getByRole("complementary", { name: "Selected mirror" })
  await side.getByText("401").first().waitFor()
  await side.getByText("a token that this server keeps until it ends").waitFor()
  await side.getByRole("button", { name: "Header …" }).click()
  const header = page.getByRole("dialog", { name: "Header of rooms" })
  await header.getByLabel("Token", { exact: true }).fill(SECRET)
  expect(await accessibility(page)).toEqual([])
  await header.getByRole("button", { name: "Use it" }).click()
  await side.getByText("nothing is missing").waitFor()
  const authorized = { headers: { Authorization: `Bearer ${SECRET}` } }
  await expect.poll(async () => (await fetch(`${other.streams}/chat/room`, authorized)).status).toBe(200)
  expect(await (await fetch(`${other.streams}/chat/room`, authorized)).json()).toEqual([{ say: "hello" }])
  expect(await page.content()).not.toContain(SECRET)
  expect(problems.filter((problem) => !problem.includes("400"))).toEqual([])
})

test("a mirror from a server of the configuration", async () => {
  const other = await Server.start()
  onTestFinished(async () => void (await other.stop()))
  await fetch(`${other.streams}/orders/7`, { method: "PUT", headers: { "Content-Type": "text/plain" }, body: "all of it" })
  const here = await Server.start("--remotes", `prod=${other.streams}/`)
  onTestFinished(async () => void (await here.stop()))

  await page.goto(here.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.getByRole("link", { name: "Mirrors" }).click()
  await page.getByRole("button", { name: "Make one" }).click()
  const dialog = page.getByRole("dialog", { name: "New mirror" })
  await dialog.getByRole("radio", { name: "Pull: from there to here" }).click()
  await dialog.getByLabel("Streams", { exact: true }).fill("orders/*")
  await dialog.getByLabel("Server", { exact: true }).selectOption({ label: `prod: ${other.streams}/` })
  expect(await dialog.getByLabel("Address of its streams").count()).toBe(0)
  await dialog.getByRole("button", { name: "Start" }).click()
  const side = page.getByRole("complementary", { name: "Selected mirror" })
  await side.getByRole("link").filter({ hasText: "orders/7" }).waitFor()
  await side.getByText("nothing is missing").waitFor()
  await side.getByText("that of prod in the configuration").waitFor()
  expect(await (await fetch(`${here.streams}/orders/7`)).text()).toBe("all of it")
  expect(problems).toEqual([])
})
