// Makes a fixture of the data that a released program leaves on the disk:
//
//   node test/upgrade/make.mjs PROGRAM FIXTURE.tar.gz
//
// It has the program serve a folder, writes streams of every kind over HTTP, notes
// in expected.json what readers get, and kills the program, so that a part of the
// data is in the write-ahead log only. Run it with the program of each version that
// changes the schema, and keep the result beside the others.
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const [program, fixture] = process.argv.slice(2).map((p) => resolve(p))
const dir = mkdtempSync(join(tmpdir(), 'fixture-'))
const ready = join(dir, 'ready.json')
const server = spawn(program, ['serve', '--listen', '127.0.0.1:0', '--inspect', '127.0.0.1:0', '--data-dir', join(dir, 'data'), '--ready-file', ready], {
  env: { PATH: process.env.PATH, HOME: dir },
  stdio: ['ignore', 'ignore', 'inherit'],
})
while (!existsSync(ready)) await new Promise((r) => setTimeout(r, 20))
const root = `${JSON.parse(readFileSync(ready, 'utf8')).data_url}/v1/stream/`

const call = async (method, path, headers = {}, body) => {
  const res = await fetch(root + path, { method, headers, body })
  const bytes = Buffer.from(await res.arrayBuffer())
  return { status: res.status, headers: res.headers, bytes }
}
const want = async (status, ...request) => {
  const res = await call(...request)
  if (res.status !== status) throw new Error(`${request.slice(0, 2).join(' ')}: ${res.status}, not ${status}: ${res.bytes}`)
  return res
}
const json = { 'Content-Type': 'application/json' }
const text = { 'Content-Type': 'text/plain' }
const binary = { 'Content-Type': 'application/octet-stream' }

await want(201, 'PUT', 'orders/eu', json, '[{"id":9007199254740993},{"price":1.0}]')
for (let n = 0; n < 50; n++) await want(204, 'POST', 'orders/eu', json, JSON.stringify([{ n }, { n, text: 'ü'.repeat(n) }]))
await want(201, 'PUT', 'notes/%C3%BCn%C3%AF%20code', text, 'first line\n')
await want(204, 'POST', 'notes/%C3%BCn%C3%AF%20code', text, 'second line\n')
await want(201, 'PUT', 'blobs/large', binary)
for (let n = 0; n < 3; n++) await want(204, 'POST', 'blobs/large', binary, Buffer.alloc(200_000, n + 1))
await want(201, 'PUT', 'producers', json)
for (let seq = 0; seq < 3; seq++) {
  await want(200, 'POST', 'producers', { ...json, 'Producer-Id': 'writer', 'Producer-Epoch': '4', 'Producer-Seq': String(seq) }, `{"seq":${seq}}`)
}
await want(201, 'PUT', 'closed', text, 'the end')
await want(204, 'POST', 'closed', { 'Stream-Closed': 'true' })
await want(201, 'PUT', 'expires', { ...text, 'Stream-Expires-At': '2199-01-01T00:00:00Z' }, 'in a long time')
await want(201, 'PUT', 'slides', { ...text, 'Stream-TTL': '3000000000' }, 'for ever, nearly')
await want(201, 'PUT', 'gone', text, 'deleted')
await want(204, 'DELETE', 'gone')
await want(201, 'PUT', 'fork', { ...json, 'Stream-Forked-From': '/v1/stream/orders/eu' }, '{"own":1}')
await want(201, 'PUT', 'empty', text)
const subscribed = await call('PUT', '__ds/subscriptions/readers', json, JSON.stringify({ type: 'pull-wake', pattern: 'orders/*', wake_stream: 'wakes' }))

const streams = {}
for (const path of ['orders/eu', 'notes/%C3%BCn%C3%AF%20code', 'blobs/large', 'producers', 'closed', 'expires', 'slides', 'fork', 'empty', '__registry__']) {
  const hash = createHash('sha256')
  let offset = '-1'
  let res
  do {
    res = await want(200, 'GET', `${path}?offset=${offset}`)
    hash.update(res.bytes)
    offset = res.headers.get('stream-next-offset')
  } while (res.headers.get('stream-up-to-date') !== 'true')
  streams[path] = {
    content_type: res.headers.get('content-type'),
    next_offset: offset,
    closed: res.headers.get('stream-closed') === 'true',
    sha256: hash.digest('hex'),
  }
}
const version = execFileSync(program, ['version'], { encoding: 'utf8' }).trim()
writeFileSync(join(dir, 'expected.json'), JSON.stringify({ version, subscription: subscribed.status < 300, streams }, null, 1))
server.kill('SIGKILL')
await new Promise((r) => server.once('exit', r))
// The reserve holds nothing, and the lock is nobody's.
for (const name of ['tailrace.reserve', 'tailrace.lock', 'run.json']) rmSync(join(dir, 'data', name), { force: true })
execFileSync('tar', ['-C', dir, '-czf', fixture, 'data', 'expected.json'])
rmSync(dir, { recursive: true })
