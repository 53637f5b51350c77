import { execFile, spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { promisify } from "node:util"

/** A running `tailrace serve` on free ports and a data folder of its own. */
export class Server {
  private constructor(
    private readonly process: ChildProcess,
    private readonly dir: string,
    readonly dataUrl: string,
    readonly dataTlsUrl: string,
    readonly inspectorUrl: string,
    private readonly output: string[],
  ) {}

  /** Root of the streams. */
  get streams(): string {
    return `${this.dataUrl}/v1/stream`
  }

  /** A link that opens the inspector once, as the program prints it. */
  get link(): string {
    const link = this.output.join("").match(/http:\/\/\S+#code=[\w-]+/)?.[0]
    if (!link) throw new Error(`no inspector link in the output:\n${this.output.join("")}`)
    return link
  }

  /** Waits until the program has printed a text. */
  async printed(text: string): Promise<void> {
    for (const deadline = Date.now() + 20_000; !this.output.join("").includes(text); await delay(20)) {
      if (Date.now() > deadline) throw new Error(`not printed: ${text}\n${this.output.join("")}`)
    }
  }

  /** The configuration file of this server, where it is looked for. */
  get configFile(): string {
    return join(this.dir, "config", "tailrace", "config.toml")
  }

  writeConfig(text: string): void {
    mkdirSync(dirname(this.configFile), { recursive: true })
    writeFileSync(this.configFile, text)
  }

  /** Runs a command of the program on this server, and returns what it prints. */
  async run(...args: string[]): Promise<string> {
    return (await promisify(execFile)(process.env.TAILRACE_BIN!, [...args, "--data-dir", join(this.dir, "data")])).stdout.trim()
  }

  /** Another link; the printed one works once. */
  freshLink(): Promise<string> {
    return this.run("open", "--print")
  }

  /** What the server has against its clients: the rules, with the request that showed each. */
  async findings(): Promise<{ rule: string; request: string }[]> {
    const code = (await this.freshLink()).replace(/^.*#code=/, "")
    const headers = { "Content-Type": "application/json" }
    const session = await fetch(`${this.inspectorUrl}/api/session`, { method: "POST", headers, body: JSON.stringify({ code }) })
    const { token } = (await session.json()) as { token: string }
    const response = await fetch(`${this.inspectorUrl}/api/findings`, { headers: { Authorization: `Bearer ${token}` } })
    const { findings, watching } = (await response.json()) as { findings: { rule: string; request: string }[]; watching: boolean }
    if (!watching) throw new Error("nobody watched")
    return findings.map(({ rule, request }) => ({ rule, request }))
  }

  static async start(...flags: string[]): Promise<Server> {
    const dir = mkdtempSync(join(tmpdir(), "tailrace-test-"))
    const ready = join(dir, "ready.json")
    const args = ["serve", "--listen", "127.0.0.1:0", "--inspect", "127.0.0.1:0"]
    args.push("--data-dir", join(dir, "data"), "--ready-file", ready, ...flags)
    const child = spawn(process.env.TAILRACE_BIN!, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, XDG_CONFIG_HOME: join(dir, "config") },
    })
    const output: string[] = []
    child.stdout.on("data", (b: Buffer) => output.push(b.toString()))
    child.stderr.on("data", (b: Buffer) => output.push(b.toString()))
    const deadline = Date.now() + 20_000
    while (!existsSync(ready)) {
      if (child.exitCode !== null || Date.now() > deadline) {
        child.kill("SIGKILL")
        throw new Error(`tailrace did not start:\n${output.join("")}`)
      }
      await delay(20)
    }
    const { data_url, data_tls_url, inspector_url } = JSON.parse(readFileSync(ready, "utf8"))
    return new Server(child, dir, data_url, data_tls_url, inspector_url, output)
  }

  /** Lets the program do nothing until it is told to go on. */
  freeze(): void {
    this.process.kill("SIGSTOP")
  }

  goOn(): void {
    this.process.kill("SIGCONT")
  }

  /** Asks the program to end and returns its exit code. */
  async stop(): Promise<number | null> {
    const exited = this.process.exitCode === null ? once(this.process, "exit") : undefined
    this.process.kill("SIGTERM")
    this.goOn() // if it is frozen
    await exited
    rmSync(this.dir, { recursive: true, force: true })
    return this.process.exitCode
  }
}
