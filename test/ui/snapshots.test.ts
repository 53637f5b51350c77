import { createHash } from "node:crypto"
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest"
import { accessibility } from "../lib/axe"
import { Server } from "../lib/server"
import { page, problems, server } from "../lib/stage"

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tailrace-files-"))
})

afterEach(() => {
  rmSync(dir, { recursive: true, force: true })
})

async function create(path: string, body: string, at = server): Promise<void> {
  expect((await fetch(`${at.streams}/${path}`, { method: "PUT", body, headers: { "Content-Type": "application/json" } })).status).toBe(201)
}

async function open(hash: string, at = server): Promise<void> {
  await page.goto(at.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate((hash) => (location.hash = hash), hash)
}

const rows = () => page.getByRole("grid", { name: "Snapshots" }).getByRole("row")

test("a snapshot is taken, verified, restored and pruned", async () => {
  await create("orders/eu", '[{"n":1},{"n":2}]')
  await open("/s/orders%2Feu?tab=snapshots")
  await page.getByText("No snapshot of this stream").waitFor()
  expect(await accessibility(page)).toEqual([])

  await page.keyboard.press("n")
  const take = page.getByRole("dialog", { name: "Take a snapshot" })
  await take.getByRole("textbox", { name: "Folder or bucket" }).fill("not/absolute")
  await take.getByRole("button", { name: "Take it" }).click()
  await take.getByRole("alert").filter({ hasText: "absolute path" }).waitFor()
  expect(await accessibility(page)).toEqual([])
  await take.getByRole("textbox", { name: "Folder or bucket" }).fill(dir)
  await take.getByRole("button", { name: "Take it" }).click()
  await take.waitFor({ state: "detached" })
  await rows().filter({ hasText: "not verified" }).waitFor()

  await page.keyboard.press("j")
  await page.keyboard.press("v")
  await rows().filter({ hasText: /verified .*(now|ago)|verified \d/ }).waitFor()
  expect(await accessibility(page)).toEqual([])

  const side = page.getByRole("complementary", { name: "Selected snapshot" })
  await side.getByText(join(dir, "stream")).waitFor()
  await side.getByRole("button", { name: "Restore" }).click()
  const restore = page.getByRole("dialog", { name: "Restore a stream" })
  await restore.getByRole("textbox", { name: "As" }).fill("orders/again")
  await restore.getByRole("button", { name: "Restore", exact: true }).click()
  await restore.waitFor({ state: "detached" })
  await expect.poll(async () => (await fetch(`${server.streams}/orders/again`)).status).toBe(200)
  expect(await (await fetch(`${server.streams}/orders/again`)).json()).toEqual([{ n: 1 }, { n: 2 }])

  // A damaged file is told from a good one.
  const [folder] = readdirSync(join(dir, "stream"))
  const [name] = readdirSync(join(dir, "stream", folder!))
  const file = join(dir, "stream", folder!, name!)
  const bytes = readFileSync(file)
  bytes[bytes.length - 200]! ^= 1
  writeFileSync(file, bytes)
  await side.getByRole("button", { name: /^Verify/ }).click()
  await rows().filter({ hasText: "damaged" }).waitFor()
  await side.getByRole("alert").waitFor()
  expect(await accessibility(page)).toEqual([])

  await page.keyboard.press("n")
  await take.getByRole("textbox", { name: "Folder or bucket" }).fill(dir)
  await take.getByRole("button", { name: "Take it" }).click()
  await expect.poll(() => rows().count()).toBe(3) // and the header

  await page.getByRole("link", { name: "Snapshots" }).click()
  await page.getByTestId("snapshot-count").filter({ hasText: "2" }).waitFor()
  await page.getByRole("textbox", { name: "Filter snapshots" }).fill("nothing like it")
  await page.getByText("No snapshot matches").waitFor()
  await page.getByRole("button", { name: "Clear the filter" }).click()
  await page.getByRole("button", { name: /^More: restore/ }).click()
  await page.getByRole("menuitem", { name: /Prune/ }).click()
  const prune = page.getByRole("alertdialog", { name: "Prune old snapshots" })
  await prune.getByLabel("Keep the newest").fill("1")
  await prune.getByLabel("Or younger, in days").fill("0")
  await prune.getByRole("button", { name: "Show what goes" }).click()
  await prune.getByText("1 file").waitFor()
  expect(await accessibility(page)).toEqual([])
  expect(readdirSync(join(dir, "stream", folder!))).toHaveLength(2)
  await prune.getByRole("textbox", { name: /^Type/ }).fill("delete")
  await prune.getByRole("button", { name: "Delete" }).click()
  await page.getByTestId("snapshot-count").filter({ hasText: "1" }).waitFor()
  expect(readdirSync(join(dir, "stream", folder!))).toHaveLength(1)
  // The place that was refused is the one thing that the page may complain about.
  expect(problems.filter((problem) => !problem.includes("status of 400"))).toEqual([])
})

test("targets are tested, and a stream is compacted into one", async () => {
  const other = await Server.start("--targets", `backups=${dir},lost=${join(dir, "not-there")}`)
  onTestFinished(async () => void (await other.stop()))
  await create("large", JSON.stringify(Array.from({ length: 3000 }, (_, n) => ({ n, pad: "x".repeat(90) }))), other)
  await open("/snapshots", other)
  const targets = page.getByRole("complementary", { name: "Targets" })
  await targets.getByRole("button", { name: "Test connection of backups" }).click()
  await targets.getByText("It works").waitFor()
  await targets.getByRole("button", { name: "Test connection of lost" }).click()
  await targets.getByText("there is no such folder").waitFor()
  expect(await accessibility(page)).toEqual([])

  await page.getByRole("button", { name: /^More: restore/ }).click()
  await page.getByRole("menuitem", { name: /Compact/ }).click()
  const dialog = page.getByRole("alertdialog", { name: "Compact" })
  await dialog.getByRole("textbox", { name: /^Streams/ }).fill("large")
  await dialog.getByRole("combobox", { name: "To" }).selectOption("backups")
  await dialog.getByRole("button", { name: "Show what is freed" }).click()
  await dialog.getByText("would be freed").waitFor()
  expect(await accessibility(page)).toEqual([])
  await dialog.getByRole("textbox", { name: /^Type/ }).fill("compact")
  await dialog.getByRole("button", { name: "Compact" }).click()
  await rows().filter({ hasText: "large" }).filter({ hasText: "verified" }).waitFor()
  const back = (await (await fetch(`${other.streams}/large`)).json()) as unknown[]
  expect(back).toHaveLength(3000)
  expect(problems).toEqual([])
})

test("files that appear in a watched folder are shown, verified and restored, never by themselves", async () => {
  const other = await Server.start("--targets", `inbox=${dir}`)
  onTestFinished(async () => void (await other.stop()))
  await create("orders/eu", '[{"n":1},{"n":2}]')
  const elsewhere = mkdtempSync(join(tmpdir(), "tailrace-elsewhere-"))
  onTestFinished(() => rmSync(elsewhere, { recursive: true, force: true }))
  const { location } = JSON.parse(await server.run("snapshot", "create", "orders/eu", "--to", elsewhere, "--json")) as { location: string }

  await open("/snapshots?show=found", other)
  await page.getByText("Nothing was found").waitFor()
  expect(await accessibility(page)).toEqual([])
  const found = page.getByRole("grid", { name: "Files found" }).getByRole("row")
  copyFileSync(location, join(dir, "dropped.seg"))
  await found.filter({ hasText: "orders/eu" }).filter({ hasText: "path free" }).waitFor()
  writeFileSync(join(dir, "torn.seg"), readFileSync(location).subarray(0, 300))
  await found.filter({ hasText: "torn.seg" }).filter({ hasText: "not whole" }).click()
  const side = page.getByRole("complementary", { name: "Selected file" })
  await side.getByRole("alert").filter({ hasText: "does not end as a snapshot does" }).waitFor()
  expect(await side.getByRole("button", { name: /^Restore/ }).isDisabled()).toBe(true)
  expect(await accessibility(page)).toEqual([])
  rmSync(join(dir, "torn.seg"))
  await found.filter({ hasText: "torn.seg" }).waitFor({ state: "detached" })

  await page.keyboard.press("j")
  await page.keyboard.press("v")
  await found.filter({ hasText: "verified" }).waitFor()
  await side.getByText("2 messages").waitFor()
  expect((await fetch(`${other.streams}/orders/eu`)).status).toBe(404)
  await page.keyboard.press("r")
  const restore = page.getByRole("dialog", { name: "Restore a stream" })
  await restore.getByRole("button", { name: "Restore", exact: true }).click()
  await expect.poll(async () => (await fetch(`${other.streams}/orders/eu`)).status).toBe(200)
  await found.filter({ hasText: "path taken" }).waitFor()
  expect(await accessibility(page)).toEqual([])

  await page.keyboard.press("r")
  expect(await restore.getByRole("textbox", { name: "As" }).inputValue()).toBe("orders/eu-restored")
  await restore.getByRole("textbox", { name: "As" }).fill("orders/again")
  await restore.getByRole("button", { name: "Restore", exact: true }).click()
  await expect.poll(async () => (await fetch(`${other.streams}/orders/again`)).status).toBe(200)
  expect(await (await fetch(`${other.streams}/orders/again`)).json()).toEqual([{ n: 1 }, { n: 2 }])

  await page.getByRole("textbox", { name: "Filter snapshots" }).fill("nothing like it")
  await page.getByText("No snapshot matches").waitFor()
  await page.getByRole("button", { name: "Clear the filter" }).click()
  rmSync(join(dir, "dropped.seg"))
  await page.getByText("Nothing was found").waitFor()
  expect(problems).toEqual([])
})

test("messages are exported with their checksum, and imported once", async () => {
  await create("numbers", '[{"id":9007199254740993},{"id":2},{"id":3}]')
  await open("/s/numbers?by=path&find=" + encodeURIComponent("$.id > 2"))
  await page.getByText("2 match").waitFor()
  await page.getByRole("button", { name: "Export" }).click()
  const dialog = page.getByRole("dialog", { name: "Export messages" })
  const [download] = await Promise.all([page.waitForEvent("download"), dialog.getByRole("button", { name: "Export" }).click()])
  expect(download.suggestedFilename()).toBe("numbers.ndjson")
  const file = join(dir, "numbers.ndjson")
  await download.saveAs(file)
  expect(readFileSync(file, "utf8")).toBe('{"id":9007199254740993}\n{"id":3}\n')
  const sum = createHash("sha256").update(readFileSync(file)).digest("hex")
  await dialog.getByText(`sha256 ${sum}`).waitFor()
  await dialog.getByRole("status").filter({ hasText: "2 messages" }).waitFor()
  expect(await accessibility(page)).toEqual([])
  await dialog.getByRole("button", { name: "Close" }).click()

  await page.evaluate(() => (location.hash = "/streams"))
  for (const words of ["Imported 2 messages into copy", "Imported 0 messages into copy"]) {
    await page.getByRole("button", { name: "Import a file" }).click()
    const add = page.getByRole("dialog", { name: "Import a file" })
    await add.getByLabel("File").setInputFiles(file)
    await add.getByRole("textbox", { name: "Into stream" }).fill("copy")
    await add.getByRole("button", { name: "Check the file" }).click()
    await add.getByText(`sha256 ${sum}`).waitFor()
    await add.getByRole("button", { name: "Import" }).click()
    await page.getByText(words).waitFor()
    await add.waitFor({ state: "detached" })
  }
  expect(await (await fetch(`${server.streams}/copy`)).text()).toBe('[{"id":9007199254740993},{"id":3}]')

  // A file that is an array is read as one.
  const array = join(dir, "numbers.json")
  writeFileSync(array, '[\n{"id":9007199254740993},\n1.0\n]\n')
  await page.getByRole("button", { name: "Import a file" }).click()
  const list = page.getByRole("dialog", { name: "Import a file" })
  await list.getByLabel("File").setInputFiles(array)
  await list.getByRole("textbox", { name: "Into stream" }).fill("list")
  await list.getByRole("button", { name: "Check the file" }).click()
  await list.getByText("2 messages").waitFor()
  await list.getByRole("button", { name: "Import" }).click()
  await page.getByText("Imported 2 messages into list").waitFor()
  await list.waitFor({ state: "detached" })
  expect(await (await fetch(`${server.streams}/list`)).text()).toBe('[{"id":9007199254740993},1.0]')

  writeFileSync(file, '{"id":4}\n{"id":}\n')
  await page.getByRole("button", { name: "Import a file" }).click()
  const add = page.getByRole("dialog", { name: "Import a file" })
  await add.getByLabel("File").setInputFiles(file)
  await add.getByRole("textbox", { name: "Into stream" }).fill("copy")
  await add.getByRole("button", { name: "Check the file" }).click()
  await add.getByRole("alert").filter({ hasText: "line 2: body: invalid JSON" }).waitFor()
  expect(await accessibility(page)).toEqual([])
  expect(await (await fetch(`${server.streams}/copy`)).json()).toHaveLength(2)
})
