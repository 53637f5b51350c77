import { expect, test } from "vitest"
import { page, problems, server } from "../lib/stage"

const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "")

test("Escape closes the uppermost thing only, and the focus goes back to where it was", async () => {
  await fetch(`${server.streams}/chat/room`, { method: "PUT", headers: { "Content-Type": "application/json" }, body: '[{"n":0},{"n":1}]' })
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.evaluate(() => (location.hash = "/s/chat%2Froom?at=1"))
  const detail = page.getByRole("region", { name: "Message 1" })
  await detail.getByRole("tree").waitFor()

  // A dialog that a key has opened, and one that a button has.
  await page.getByRole("grid", { name: "Messages" }).focus()
  await page.keyboard.press("a")
  const append = page.getByRole("dialog", { name: "Append" })
  await append.waitFor()
  await page.keyboard.press("Escape")
  await append.waitFor({ state: "detached" })
  await expect.poll(focused).toBe("Messages")
  await detail.getByRole("button", { name: "Append again" }).focus()
  await page.keyboard.press("Enter")
  await append.waitFor()
  await page.keyboard.press("Escape")
  await append.waitFor({ state: "detached" })
  await expect.poll(focused).toBe("Append again")

  // A menu, and a dialog that it leads to.
  const more = page.getByRole("button", { name: /^More/ })
  await more.focus()
  await page.keyboard.press("Enter")
  await page.getByRole("menu").waitFor()
  await page.keyboard.press("Escape")
  await page.getByRole("menu").waitFor({ state: "detached" })
  await expect.poll(() => more.evaluate((button) => button === document.activeElement)).toBe(true)
  await page.keyboard.press("Enter")
  await page.getByRole("menuitem", { name: /^Delete/ }).press("Enter")
  const remove = page.getByRole("alertdialog", { name: "Delete this stream?" })
  await remove.waitFor()
  await page.keyboard.press("Escape")
  await remove.waitFor({ state: "detached" })
  await expect.poll(() => more.evaluate((button) => button === document.activeElement)).toBe(true)

  // The palette, the help, and the dialog that follows it.
  await page.keyboard.press("Control+k")
  const palette = page.getByRole("dialog", { name: "Go to" })
  await palette.waitFor()
  await page.keyboard.press("Escape")
  await palette.waitFor({ state: "detached" })
  await page.keyboard.press("?")
  const help = page.getByRole("dialog", { name: "Keyboard" })
  await help.getByRole("button", { name: /^About Tailrace/ }).press("Enter")
  const about = page.getByRole("dialog", { name: "About Tailrace" })
  await about.waitFor()
  await page.keyboard.press("Escape")
  await about.waitFor({ state: "detached" })
  await expect.poll(() => more.evaluate((button) => button === document.activeElement)).toBe(true)

  // A field that was typed into; only then what is open beside the list.
  await page.keyboard.press("s")
  await expect.poll(focused).toBe("Seek to")
  await page.keyboard.press("Escape")
  await expect.poll(focused).not.toBe("Seek to")
  expect(await detail.count()).toBe(1)
  await page.keyboard.press("Escape")
  await detail.waitFor({ state: "detached" })
  expect(problems).toEqual([])
})
