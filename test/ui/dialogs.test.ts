import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { accessibility } from "../lib/axe"
import { page, problems, server } from "../lib/stage"

async function create(path: string, type = "text/plain", body: BodyInit = ""): Promise<void> {
  const response = await fetch(`${server.streams}/${encodeURIComponent(path)}`, { method: "PUT", body, headers: { "Content-Type": type } })
  expect(response.status).toBe(201)
}

const go = (hash: string) => page.evaluate((hash) => (location.hash = hash), hash)

async function open(hash: string): Promise<void> {
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await go(hash)
}

const dialog = (name: string) => page.getByRole("dialog", { name }).or(page.getByRole("alertdialog", { name }))

/** Opens a dialog from the menu of the stream that is open. */
async function choose(item: string): Promise<void> {
  await page.getByRole("button", { name: /^More/ }).click()
  await page.getByRole("menuitem", { name: item }).click()
}

test.each(["text/plain", "text/plain; charset=iso-8859-1"])("a message of %s that is no UTF-8 is appended again byte by byte", async (type) => {
  await create("latin", type, new Uint8Array([0xff, 0xfe, 0x41]))
  await open("/s/latin?at=0")
  const again = page.getByRole("button", { name: "Append again" })
  const append = dialog("Append")
  const send = append.getByRole("button", { name: /^Append/ })
  const bytes = async () => new Uint8Array(await (await fetch(`${server.streams}/latin`)).arrayBuffer())
  await again.click()
  await append.getByRole("radio", { name: "Base64", checked: true }).waitFor()
  await append.getByText("1 message, 3 B.").waitFor()
  await send.click()
  await append.waitFor({ state: "detached" })
  expect(await bytes()).toEqual(new Uint8Array([0xff, 0xfe, 0x41, 0xff, 0xfe, 0x41]))

  // What was sent before is text, also where bytes were to be sent.
  await page.getByRole("button", { name: "Append A", exact: true }).click()
  await append.getByRole("textbox", { name: "Body" }).fill("abcd")
  await send.click()
  await append.waitFor({ state: "detached" })
  await again.click()
  await append.getByRole("button", { name: "Bodies sent before" }).click()
  await page.getByRole("menuitem", { name: "abcd" }).click()
  await append.getByRole("radio", { name: "Text", checked: true }).waitFor()
  await append.getByText("1 message, 4 B.").waitFor()
  expect(problems).toEqual([])
})

test("what is typed after a click on Append is the body", async () => {
  await create("notes", "application/json", "[1]")
  await open("/s/notes?at=0")
  const editor = page.locator("[data-editor]")
  const focused = () => editor.evaluate((host) => host === document.activeElement)
  for (const button of ["Append A", "Append again"]) {
    await page.getByRole("button", { name: button, exact: true }).click()
    await expect.poll(focused).toBe(true)
    await page.keyboard.press("Control+a")
    await page.keyboard.type(`"by ${button}"`)
    await page.keyboard.press("Control+Enter")
    await dialog("Append").waitFor({ state: "detached" })
  }
  expect(await (await fetch(`${server.streams}/notes`)).json()).toEqual([1, "by Append A", "by Append again"])
  expect(problems).toEqual([])
})

test("a path that a screen does not show is named in every dialog, and the stream can be deleted", async () => {
  await open("/streams")
  for (const [path, seen] of [["\u202ertl", "‹202E›rtl"], [" ", "␣"]] as const) {
    await create(path, "text/plain", "x")
    await go(`/s/${encodeURIComponent(path)}`)
    await page.getByRole("button", { name: "Append A", exact: true }).click()
    await dialog("Append").getByText(seen, { exact: true }).waitFor()
    await page.keyboard.press("Escape")
    await page.getByRole("button", { name: "Export" }).click()
    await dialog("Export messages").getByText(seen, { exact: true }).waitFor()
    await page.keyboard.press("Escape")
    await choose("Close …")
    await dialog("Close this stream?").getByText(seen, { exact: true }).waitFor()
    await page.keyboard.press("Escape")
    await choose("Delete …")
    const remove = dialog("Delete this stream?")
    await remove.getByText(seen, { exact: true }).waitFor()
    expect(await remove.innerText()).not.toContain("\u202e")
    expect(await accessibility(page)).toEqual([])
    await remove.getByRole("textbox", { name: "Type delete to delete" }).focus()
    await page.keyboard.type("delete")
    await page.keyboard.press("Enter")
    await page.getByText(`Deleted ${seen}`, { exact: true }).waitFor()
    expect((await fetch(`${server.streams}/${encodeURIComponent(path)}`)).status).toBe(404)
  }
  expect(problems).toEqual([])
})

test("the delete dialog counts what is appended meanwhile", async () => {
  await create("busy", "application/json", "[1]")
  await open("/s/busy")
  await page.getByRole("button", { name: "Append A", exact: true }).waitFor()
  await choose("Delete …")
  const remove = dialog("Delete this stream?")
  await remove.getByText("1 message", { exact: true }).waitFor()
  await fetch(`${server.streams}/busy`, { method: "POST", headers: { "Content-Type": "application/json" }, body: "[2,3]" })
  await remove.getByText("3 messages", { exact: true }).waitFor()
  expect(problems).toEqual([])
})

test("an export filters as the page does where the address does not say how", async () => {
  await create("some", "application/json", '[{"a":1},{"b":2}]')
  await open(`/s/some?find=${encodeURIComponent("$.a")}`)
  await page.getByText("1 match").waitFor()
  await page.getByRole("button", { name: "Export" }).click()
  const [download] = await Promise.all([page.waitForEvent("download"), dialog("Export messages").getByRole("button", { name: "Export" }).click()])
  expect(readFileSync(await download.path(), "utf8")).toBe('{"a":1}\n')
  expect(problems).toEqual([])
})

test("a path that a browser folds is refused with the reason of the server", async () => {
  const reason = 'path: the segments "." and ".." are not allowed'
  await open("/streams")
  await page.keyboard.press("n")
  const made = dialog("New stream")
  for (const path of ["..", "a/./b"]) {
    await made.getByRole("textbox", { name: "Path" }).fill(path)
    await made.getByRole("button", { name: /^Create/ }).click()
    await made.getByRole("alert").filter({ hasText: reason }).waitFor()
    expect(await made.getByRole("button", { name: "Copy as curl" }).isDisabled()).toBe(true)
  }
  await page.keyboard.press("Escape")
  await page.getByRole("button", { name: "Import a file" }).click()
  const add = dialog("Import a file")
  await add.getByLabel("File").setInputFiles({ name: "one.ndjson", mimeType: "text/plain", buffer: Buffer.from("1\n") })
  await add.getByRole("textbox", { name: "Into stream" }).fill("..")
  await add.getByRole("button", { name: "Check the file" }).click()
  await add.getByRole("alert").filter({ hasText: reason }).waitFor()
  await page.keyboard.press("Escape")
  await go("/s/.")
  await page.getByText("The stream could not be read").waitFor()
  await page.getByText(reason).waitFor()
  expect(problems).toEqual([])
})

test("a form says which field is missing or wrong", async () => {
  await create("some")
  await open("/snapshots")
  await page.getByRole("button", { name: /^More: restore/ }).click()
  await page.getByRole("menuitem", { name: /Prune/ }).click()
  const prune = dialog("Prune old snapshots")
  const show = prune.getByRole("button", { name: "Show what goes" })
  await prune.getByLabel("Keep the newest").fill("")
  await prune.getByLabel("Or younger, in days").fill("")
  await show.click()
  await prune.getByRole("alert").filter({ hasText: "how many of the newest" }).waitFor()
  await prune.getByLabel("Keep the newest").fill("1")
  await show.click()
  await prune.getByRole("alert").filter({ hasText: "up to what age" }).waitFor()
  expect(await accessibility(page)).toEqual([])
  await prune.getByLabel("Or younger, in days").fill("0")
  await show.click()
  await prune.getByText("Nothing would be deleted.").waitFor()
  await page.keyboard.press("Escape")
  expect(problems).toEqual([])

  // What only the server looks at.
  await go("/s/some")
  await page.getByRole("button", { name: "Export" }).click()
  await dialog("Export messages").getByLabel("From message").fill("1.5")
  await page.keyboard.press("Control+Enter")
  await dialog("Export messages").getByRole("alert").filter({ hasText: "from: expected integer" }).waitFor()
})
