import { execFile } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type AddressInfo, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest"
import { accessibility } from "../lib/axe"
import { Server } from "../lib/server"
import { page, problems, server } from "../lib/stage"

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tailrace-backups-"))
})

afterEach(() => {
  rmSync(dir, { recursive: true, force: true })
})

async function open(hash: string, at = server): Promise<void> {
  await page.goto(at.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate((hash) => (location.hash = hash), hash)
}

const rows = () => page.getByRole("grid", { name: "Backups" }).getByRole("row")
const side = () => page.getByRole("complementary", { name: "Selected backup" })
const dialog = () => page.getByRole("dialog", { name: "Back up everything" })

test("everything is backed up, verified, and restored with the commands that are shown", async () => {
  const headers = { "Content-Type": "application/json" }
  expect((await fetch(`${server.streams}/orders/eu`, { method: "PUT", headers, body: '[{"n":1},{"n":2}]' })).status).toBe(201)
  await open("/snapshots?show=backups")
  await page.getByText("Where are the backups?").waitFor()
  expect(await accessibility(page)).toEqual([])

  await page.keyboard.press("n")
  await dialog().getByRole("textbox", { name: "Folder or bucket" }).fill("not/absolute")
  await dialog().getByRole("button", { name: "Back up" }).click()
  await dialog().getByRole("alert").filter({ hasText: "absolute path" }).waitFor()
  expect(await accessibility(page)).toEqual([])
  await dialog().getByRole("textbox", { name: "Folder or bucket" }).fill(dir)
  await dialog().getByRole("button", { name: "Back up" }).click()
  await rows().filter({ hasText: "not verified" }).waitFor()
  // It survives a reload.
  await page.reload()
  await rows().filter({ hasText: "not verified" }).waitFor()

  await page.keyboard.press("j")
  await page.keyboard.press("v")
  await rows().filter({ hasText: /(?<!not )verified$/ }).waitFor()
  const [name] = readdirSync(join(dir, "backup"))
  const backup = join(dir, "backup", name!)
  await side().getByText(backup, { exact: false }).first().waitFor()
  expect(await accessibility(page)).toEqual([])

  const code = (await side().getByRole("region", { name: "Restore" }).locator(".code").innerText()).trim()
  const [restore] = code.split("\n")
  const words = restore!.split(" ")
  expect(words.slice(0, 4)).toEqual(["tailrace", "backup", "restore", backup])
  // The folder that it names lies beside the server's, and goes with it.
  await promisify(execFile)(process.env.TAILRACE_BIN!, words.slice(1))
  const restored = await Server.start("--data-dir", words.at(-1)!)
  onTestFinished(async () => void (await restored.stop()))
  expect(await (await fetch(`${restored.streams}/orders/eu`)).json()).toEqual([{ n: 1 }, { n: 2 }])

  // A damaged one is told from a good one, and one that was never finished from both.
  const database = join(backup, "tailrace.db")
  const bytes = readFileSync(database)
  bytes[bytes.length - 100]! ^= 1
  writeFileSync(database, bytes)
  await side().getByRole("button", { name: /^Verify/ }).click()
  await rows().filter({ hasText: "damaged" }).waitFor()
  await side().getByRole("alert").filter({ hasText: "tailrace.db is not what was written" }).waitFor()
  const torn = join(dir, "backup", "1700000000000")
  cpSync(backup, torn, { recursive: true })
  rmSync(join(torn, "manifest.json"))
  await page.getByRole("button", { name: "Look there" }).click()
  await rows().filter({ hasText: "not whole" }).click()
  await side().getByRole("alert").filter({ hasText: "no whole backup" }).waitFor()
  expect(await side().getByRole("button", { name: /^Verify/ }).isDisabled()).toBe(true)
  expect(await side().getByRole("region", { name: "Restore" }).count()).toBe(0)
  expect(await accessibility(page)).toEqual([])
  await page.keyboard.press("Escape")
  await side().waitFor({ state: "detached" })

  await page.getByRole("textbox", { name: "Folder or bucket" }).fill(join(dir, "nowhere"))
  await page.getByRole("textbox", { name: "Folder or bucket" }).press("Enter")
  await page.getByText("there is no such folder").waitFor()
  // The places that were refused are all that the page may complain about.
  expect(problems.filter((problem) => !/status of (400|502)/.test(problem))).toEqual([])
})

test("a target is chosen by name, and a backup that goes nowhere is cancelled", async () => {
  // A server that takes connections and never answers.
  const sockets = new Set<Socket>()
  const silent = createServer((socket) => {
    sockets.add(socket.on("error", () => {}).on("close", () => sockets.delete(socket)))
    socket.resume()
  }).listen(0, "127.0.0.1")
  await once(silent, "listening")
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  vi.stubEnv("AWS_ACCESS_KEY_ID", "key")
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret")
  onTestFinished(() => void vi.unstubAllEnvs())
  const other = await Server.start("--targets", `disk=${dir},stuck=s3://kept?endpoint=${endpoint}&path_style=true`)
  onTestFinished(async () => void (await other.stop()))

  await open("/snapshots?show=backups", other)
  await page.getByText("No backup here").waitFor()
  expect(await accessibility(page)).toEqual([])
  await page.keyboard.press("n")
  await dialog().getByRole("combobox", { name: "To" }).selectOption("disk")
  await dialog().getByRole("button", { name: "Back up" }).click()
  await rows().filter({ hasText: "not verified" }).click()
  await page.keyboard.press("v")
  await rows().filter({ hasText: /(?<!not )verified$/ }).waitFor()

  await page.getByRole("combobox", { name: "Backups of" }).selectOption("stuck")
  await page.getByText("Reading …").waitFor()
  await page.keyboard.press("n")
  await dialog().getByRole("combobox", { name: "To" }).selectOption("stuck")
  await dialog().getByRole("button", { name: "Back up" }).click()
  const running = page.getByRole("region", { name: "Running" })
  await running.getByText("Backing up").waitFor()
  expect(await accessibility(page)).toEqual([])
  await running.getByRole("button", { name: "Cancel" }).click()
  await running.waitFor({ state: "detached" })

  await page.getByRole("combobox", { name: "Backups of" }).selectOption("disk")
  await rows().filter({ hasText: /(?<!not )verified$/ }).waitFor()
  expect(problems).toEqual([])
})

test("what has failed says why, and is run again", async () => {
  const place = join(dir, "place")
  writeFileSync(place, "a file where the folder shall be")
  await open("/snapshots")
  await page.getByText("No snapshot yet").waitFor()
  await page.getByRole("button", { name: /^More: restore/ }).click()
  await page.getByRole("menuitem", { name: /Back up/ }).click()
  await dialog().getByRole("textbox", { name: "Folder or bucket" }).fill(place)
  await dialog().getByRole("button", { name: "Back up" }).click()
  const failed = page.getByRole("region", { name: "Failed" })
  await failed.getByRole("alert").filter({ hasText: place }).waitFor()
  expect(await accessibility(page)).toEqual([])

  // Over a reload, and until it is dismissed.
  await page.reload()
  await failed.getByText("The backup to").waitFor()
  rmSync(place)
  await failed.getByRole("button", { name: "Run again" }).click()
  await failed.waitFor({ state: "detached" })
  await rows().filter({ hasText: "not verified" }).waitFor()

  rmSync(place, { recursive: true })
  writeFileSync(place, "a file again")
  await page.keyboard.press("n")
  await dialog().getByRole("textbox", { name: "Folder or bucket" }).fill(place)
  await dialog().getByRole("button", { name: "Back up" }).click()
  await failed.getByRole("button", { name: "Dismiss" }).click()
  await failed.waitFor({ state: "detached" })
  // A place that is a file cannot be listed, which is the one thing that the page may complain about.
  expect(problems.filter((problem) => !problem.includes("status of 502"))).toEqual([])
})
