// `make run` shows the demo and a neighbor. Both run on copies: what they write is theirs, and the checkout stays as it is.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstat, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { program, top } from './lib/program.mjs'

let target
before(async () => (target = await mkdtemp(join(tmpdir(), 'goop2-run-'))))
after(() => rm(target, { recursive: true, force: true }))

/** Every file of `peers/` with what it has. */
async function tracked() {
  const names = (await readdir(join(top, 'peers'), { recursive: true })).sort()
  const files = await Promise.all(names.map(async (name) => ((await lstat(join(top, 'peers', name))).isFile() ? [name, await readFile(join(top, 'peers', name), 'base64')] : [])))
  return files.filter(({ length }) => length > 0)
}

/** As `make run` where there is no display, with the program that is built already. */
async function run(use) {
  const env = { ...process.env, GOOP2: program, CARGO_TARGET_DIR: target, DISPLAY: '', WAYLAND_DISPLAY: '' }
  const script = spawn(join(top, 'scripts/run'), { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(script, 'close')
  let said = ''
  const address = () => /http:\/\/\S+token=\S+/.exec(said)?.[0]
  try {
    for await (const part of script.stdout.setEncoding('utf8')) if (((said += part), address())) break
    assert.ok(address(), said)
    const url = new URL(address())
    const init = { headers: { authorization: `Bearer ${url.searchParams.get('token')}`, 'content-type': 'application/json' } }
    await use(async (path, more) => {
      const answer = await fetch(new URL(path, url), { ...init, ...more })
      assert.ok(answer.ok, `${path}: ${answer.status}`)
      return answer
    })
  } finally {
    script.kill('SIGTERM')
  }
  const [status] = await closed
  assert.equal(status, 0)
}

test('the demo writes into a copy, which keeps it, and shows the site of the checkout', async () => {
  const before = await tracked()
  await run(async (ask) => {
    await ask('api/settings', { method: 'POST', body: JSON.stringify({ 'profile.label': 'Another name' }) })
    await ask('api/data/insert', { method: 'POST', body: JSON.stringify({ table: 'guestbook', data: { name: 'Ann', message: 'Hello' } }) })
    const { peer } = await (await ask('api/session')).json()
    assert.equal(await (await ask(`p/${peer}/`)).text(), await readFile(join(top, 'peers/demo/site/index.html'), 'utf8'))
  })
  assert.deepEqual(await tracked(), before)
  await run(async (ask) => {
    const { me } = await (await ask('api/snapshot')).json()
    assert.equal(me.label, 'Another name')
  })
  assert.deepEqual(await tracked(), before)
})
