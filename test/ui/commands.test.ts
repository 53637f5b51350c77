import { execFile, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { promisify } from "node:util"
import { expect, onTestFinished, test } from "vitest"
import { accessibility } from "../lib/axe"
import { Server } from "../lib/server"
import { page, problems, server } from "../lib/stage"

const SECRET = "not-a-secret-any-more"
const NOTE = /Set TAILRACE_TOKEN to a token of this server first/

const env = { ...process.env, TAILRACE_TOKEN: SECRET }

/** Runs a command as somebody who has set the token. */
const run = async (command: string) => (await promisify(execFile)("sh", ["-c", command], { env })).stdout

/** The command beneath a heading. */
const command = (heading: string) =>
  page.getByRole("listitem").filter({ has: page.getByRole("heading", { name: heading }) }).locator(".code").innerText()

/** A command that is copied, and the words that come with it. */
async function copied(click: () => Promise<void>): Promise<string> {
  await page.evaluate(() => navigator.clipboard.writeText(""))
  await click()
  await page.getByRole("status").filter({ hasText: "Copied as curl" }).filter({ hasText: NOTE }).waitFor()
  await page.waitForFunction(async () => (await navigator.clipboard.readText()) !== "")
  return page.evaluate(() => navigator.clipboard.readText())
}

test("commands work on a server that wants tokens, and hold none", async () => {
  const guarded = await Server.start("--token", `all:full:**:${SECRET}`)
  onTestFinished(async () => void (await guarded.stop()))
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"])
  await page.goto(guarded.link)
  await page.getByText(NOTE).waitFor()
  expect(await accessibility(page)).toEqual([])

  // The commands of the first page, one after the other, in a shell.
  const [create, append, follow] = [await command("Create a stream"), await command("Append to it"), await command("Follow it")]
  await run(create)
  await page.getByRole("row").filter({ hasText: "hello" }).dblclick()
  await page.getByText("No message yet").waitFor()
  await page.getByText(NOTE).waitFor()
  expect(await command("Append to it")).toBe(append)
  expect(await command("Follow it")).toBe(follow)
  const reader = spawn("sh", ["-c", `exec ${follow}`], { env })
  onTestFinished(() => void reader.kill("SIGKILL"))
  let heard = ""
  reader.stdout.on("data", (bytes: Buffer) => (heard += bytes.toString()))
  await run(append)
  await expect.poll(() => heard, { timeout: 20_000 }).toContain('{"n":2}')

  // What is copied elsewhere works as well.
  await page.getByRole("grid", { name: "Messages" }).getByRole("row").filter({ hasText: '{"n":2}' }).click()
  await run(await copied(() => page.getByRole("button", { name: "Copy as curl" }).click()))
  await expect.poll(() => heard.split('{"n":2}').length).toBe(3)

  const headers = { Authorization: `Bearer ${SECRET}`, "Content-Type": "application/json", "Producer-Id": "p", "Producer-Epoch": "0" }
  await fetch(`${guarded.streams}/hello`, { method: "POST", body: "3", headers: { ...headers, "Producer-Seq": "0" } })
  await page.evaluate(() => (location.hash = "/s/hello?tab=producers&producer=p"))
  const next = page.getByRole("region", { name: "Producer p" })
  await next.getByText(NOTE).waitFor()
  await run(await next.locator(".code").innerText())
  await next.getByText("0 / 2", { exact: true }).waitFor()

  await page.evaluate(() => (location.hash = "/requests"))
  await page.getByRole("grid", { name: "Requests" }).getByRole("row").filter({ hasText: "p: message 4" }).click()
  const request = page.getByRole("region", { name: /^Request \d+$/ })
  await request.getByText(NOTE).waitFor()
  expect(await request.getByText("What may be secret is not kept").count()).toBe(0)
  await request.getByText('-H "Authorization: Bearer $TAILRACE_TOKEN"').waitFor()

  await page.evaluate(() => (location.hash = "/streams"))
  await page.getByRole("button", { name: /^New stream/ }).click()
  await page.getByRole("textbox", { name: "Path" }).fill("made/by hand")
  await run(await copied(() => page.getByRole("dialog").getByRole("button", { name: "Copy as curl" }).click()))
  const made = await fetch(`${guarded.streams}/made/by%20hand`, { method: "HEAD", headers: { Authorization: headers.Authorization } })
  expect(made.status).toBe(200)
  expect(await page.content()).not.toContain(SECRET)
})

test("tokens that are configured meanwhile are asked for in the commands", async () => {
  await page.goto(server.link)
  await page.getByText("Nothing here yet").waitFor()
  expect(await page.getByText(NOTE).count()).toBe(0)
  expect(await command("Follow it")).toBe(`curl -N '${server.streams}/hello?offset=-1&live=sse'`)
  const hash = createHash("sha256").update(SECRET).digest("hex")
  server.writeConfig(`[[tokens]]\nname = "all"\naccess = "full"\nsha256 = "${hash}"\n`)
  await page.getByText(NOTE).waitFor()
  await run(await command("Create a stream"))
  await page.getByRole("row").filter({ hasText: "hello" }).waitFor()
  expect(problems).toEqual([])
})
