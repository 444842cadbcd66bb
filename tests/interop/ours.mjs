// Our binary on a folder of its own, driven as a script would: by the JSON lines it prints.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { unusedPort } from '../support/port.mjs'

export const binary = process.env.GOOP2 ?? fileURLToPath(new URL('../../target/debug/goop2', import.meta.url))
export const waitMs = 15_000

/** `files`: path inside the folder → content. */
export async function startOurs(files) {
  await access(binary).catch(() => { throw new Error(`${binary} is missing: build it first`) })
  const folder = await mkdtemp(join(tmpdir(), 'goop2-interop-'))
  const goop = {
    profile: { label: 'Ours' },
    // Loopback addresses are not printed, since nobody can dial them: the port is chosen here.
    p2p: { listen_port: await unusedPort() },
    viewer: { http_addr: '127.0.0.1:0' },
  }
  for (const [path, content] of Object.entries({ 'goop.json': JSON.stringify(goop), ...files })) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }

  const process_ = spawn(binary, ['peer', folder, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(process_, 'exit')
  let log = ''
  process_.stderr.on('data', (chunk) => { log += chunk })
  const events = []
  createInterface({ input: process_.stdout }).on('line', (line) => events.push(JSON.parse(line)))

  const event = (what, matches) => eventually(what, () => {
    if (process_.exitCode !== null) throw new Error(`our peer ended with ${process_.exitCode}:\n${log}`)
    return events.find(matches)
  })
  const ready = await event('ready', ({ event }) => event === 'ready')
  const port = Number(new URL(ready.viewer_url).port)

  return {
    id: ready.peer_id,
    address: `/ip4/127.0.0.1/tcp/${goop.p2p.listen_port}/p2p/${ready.peer_id}`,
    event,
    /** A request to our viewer. `host` is the origin's name; a client that is no browser sends nothing else. */
    get: (path, options) => request({ port, path, ...options }),
    /** What the UI sends, out of the opened address. */
    authorization: `Bearer ${new URL(ready.open_url).searchParams.get('token')}`,
    async stop() {
      process_.kill('SIGTERM')
      const [code] = await exited
      await rm(folder, { recursive: true })
      return code
    },
  }
}

/** Polls until `probe` gives something; says what it waited for when it does not. */
export async function eventually(what, probe) {
  const end = Date.now() + waitMs
  for (;;) {
    const found = probe()
    if (found) return found
    if (Date.now() > end) throw new Error(`${what}: nothing within ${waitMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function request({ port, path, host = '127.0.0.1', method = 'GET', headers = {}, body }) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers: { ...headers, host: `${host}:${port}` } }
    const sent = http.request(options, async (response) => {
      const chunks = []
      try {
        for await (const chunk of response) chunks.push(chunk)
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) })
      } catch (error) {
        reject(error)
      }
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
