import type { Browser, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest"
import { launch, openPage } from "./browser"
import { Server } from "./server"

/** What every test of the page has: a server and a page of its own. Importing it sets it up. */
export let server: Server
export let browser: Browser
export let page: Page
/** What the page complained about. */
export let problems: string[]

beforeAll(async () => {
  browser = await launch()
})

afterAll(async () => {
  await browser.close()
})

beforeEach(async () => {
  server = await Server.start()
  ;({ page, problems } = await openPage(browser))
})

afterEach(async () => {
  await page.close()
  expect(await server.stop()).toBe(0)
})
