import type { Page } from "playwright-core"
import type { Server } from "./server"

/** Opens the page and lets it start: what opens is measured, not what starts. */
export async function startPage(page: Page, server: Server): Promise<void> {
  await page.goto(server.link)
  await page.locator('[data-state="live"]').waitFor({ state: "attached" })
  await page.waitForTimeout(2000)
}

/** Prints a figure. */
export const say = (what: string, value: string) => console.log(`${what.padEnd(58)} ${value}`)
