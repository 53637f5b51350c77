import { AxeBuilder } from "@axe-core/playwright"
import type { Page } from "playwright-core"

/** Serious and critical findings of axe on what the page shows now, in both themes. */
export async function accessibility(page: Page): Promise<string[]> {
  const found: string[] = []
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" })
    const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze()
    for (const { id, impact, nodes } of violations) {
      if (impact === "serious" || impact === "critical") found.push(`${theme} ${id}: ${nodes.map(({ html }) => html).join(" | ")}`)
    }
  }
  return found
}
