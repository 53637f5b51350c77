import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Builds the headless program once for all files, unless TAILRACE_BIN names one. */
export default function setup(): (() => void) | undefined {
  if (process.env.TAILRACE_BIN) return undefined
  const dir = mkdtempSync(join(tmpdir(), "tailrace-bin-"))
  const bin = join(dir, process.platform === "win32" ? "tailrace.exe" : "tailrace")
  execFileSync("go", ["build", "-o", bin, "."], {
    cwd: join(import.meta.dirname, "../.."),
    env: { ...process.env, CGO_ENABLED: "0" },
    stdio: "inherit",
  })
  process.env.TAILRACE_BIN = bin
  return () => rmSync(dir, { recursive: true, force: true })
}
