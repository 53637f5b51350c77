// Prints the bill of materials of the program (CycloneDX): the Go modules of every
// platform and the npm packages of the page, in one document without times or
// random numbers, so that the same sources give the same one.
//
//   node scripts/sbom.mjs VERSION CYCLONEDX-GOMOD
import { execFileSync } from 'node:child_process'

const [version, gomod] = process.argv.slice(2)
const run = (command, args, options = {}) =>
  JSON.parse(execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'], ...options }))

const goBom = (goos) =>
  run(gomod, ['app', '-json', '-licenses', '-std', '-noserial', '-main', '.', '.'], {
    env: { ...process.env, GOFLAGS: '-tags=desktop,production,webkit2_41', GOOS: goos, GOARCH: 'amd64', CGO_ENABLED: '1' },
  })
const boms = ['linux', 'darwin', 'windows'].map(goBom)
boms.push(run('npm', ['sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev'], { cwd: 'frontend' }))

const components = new Map()
const dependencies = new Map()
const root = { type: 'application', name: 'tailrace', version, 'bom-ref': 'tailrace', licenses: [{ license: { id: 'Apache-2.0' } }] }
const direct = new Set()
for (const bom of boms) {
  const own = bom.metadata.component['bom-ref']
  for (const c of bom.components ?? []) components.set(c['bom-ref'], c)
  for (const d of bom.dependencies ?? []) {
    const into = d.ref === own ? direct : (dependencies.get(d.ref) ?? dependencies.set(d.ref, new Set()).get(d.ref))
    for (const on of d.dependsOn ?? []) into.add(on)
  }
}
const sorted = (names) => [...names].sort()
const byRef = (a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1)
process.stdout.write(
  JSON.stringify(
    {
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      version: 1,
      metadata: { component: root },
      components: [...components.values()].sort(byRef),
      dependencies: [
        { ref: 'tailrace', dependsOn: sorted(direct) },
        ...sorted(dependencies.keys()).map((ref) => ({ ref, dependsOn: sorted(dependencies.get(ref)) })),
      ],
    },
    null,
    1,
  ) + '\n',
)
