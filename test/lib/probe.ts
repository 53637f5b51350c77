import type { CDPSession, Page } from "playwright-core"

interface TraceEvent {
  name: string
  pid: number
  tid: number
  /** Microseconds by the clock, and of processor time. */
  dur?: number
  tdur?: number
  args?: { name?: string }
}

/** Tasks of the page's main thread: the longest, in milliseconds by the clock and of processor time. */
export interface Longest {
  wall: number
  cpu: number
}

/** Looks at a page through the DevTools protocol: its heap and its long tasks. */
export class Probe {
  private events: TraceEvent[] = []

  private constructor(private readonly cdp: CDPSession) {}

  static async attach(page: Page): Promise<Probe> {
    const cdp = await page.context().newCDPSession(page)
    const probe = new Probe(cdp)
    await cdp.send("Performance.enable", { timeDomain: "threadTicks" })
    cdp.on("Tracing.dataCollected", ({ value }) => {
      for (const event of value as unknown as TraceEvent[]) probe.events.push(event)
    })
    return probe
  }

  /** Megabytes of JavaScript heap in use, after a collection. */
  async heap(): Promise<number> {
    await this.cdp.send("HeapProfiler.collectGarbage")
    return (await this.metric("JSHeapUsedSize")) / 1e6
  }

  /** Milliseconds of processor time that the main thread has had for its tasks. */
  async worked(): Promise<number> {
    return (await this.metric("TaskDuration")) * 1000
  }

  private async metric(wanted: string): Promise<number> {
    const { metrics } = await this.cdp.send("Performance.getMetrics")
    return metrics.find(({ name }) => name === wanted)?.value ?? 0
  }

  /** Does something and returns the longest tasks meanwhile. On a busy machine they take longer by the clock. */
  async longest(work: () => Promise<unknown>): Promise<Longest> {
    this.events = []
    await this.cdp.send("Tracing.start", {
      transferMode: "ReportEvents",
      traceConfig: { includedCategories: ["toplevel", "__metadata", "disabled-by-default-devtools.timeline"], excludedCategories: ["*"] },
    })
    await work()
    const complete = new Promise((resolve) => this.cdp.once("Tracing.tracingComplete", resolve))
    await this.cdp.send("Tracing.end")
    await complete
    const main = new Set(
      this.events.filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain").map(({ pid, tid }) => `${pid} ${tid}`),
    )
    const tasks = this.events.filter(({ name, pid, tid }) => name.endsWith("RunTask") && main.has(`${pid} ${tid}`))
    const max = (of: (event: TraceEvent) => number | undefined) => Math.round(tasks.reduce((most, event) => Math.max(most, of(event) ?? 0), 0) / 1000)
    return { wall: max(({ dur }) => dur), cpu: max(({ tdur }) => tdur) }
  }
}
