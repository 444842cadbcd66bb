// WebKit puts pages aside when they are left, and shows them again as they were. One that is aside must not keep from the other
// pages of its site what changes there.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { Peer, removeAll } from '../browser/lib/peer.mjs'
import { unusedPort } from '../support/port.mjs'
import { until } from './lib/driver.mjs'

/** WebKit's own browser, which is installed with it. */
const BROWSER = '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser'
const page = (text) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Aside</title><h1>${text}</h1>`
const site = { 'index.html': page('first') }

let driver, url, session, visitor, host

before(async () => {
  const port = await unusedPort()
  driver = spawn('/usr/bin/WebKitWebDriver', [`--port=${port}`], { stdio: ['ignore', 'inherit', 'inherit'] })
  url = `http://127.0.0.1:${port}`
  await until('the driver', () => fetch(`${url}/status`).then((answer) => answer.ok, () => false))
  const capabilities = { alwaysMatch: { 'webkitgtk:browserOptions': { binary: BROWSER, args: ['--automation'] } } }
  session = `/session/${(await ask('POST', '/session', { capabilities })).sessionId}`
  ;[visitor, host] = await Promise.all([Peer.start('Mira'), Peer.start('Host', { site })])
  await visitor.join(host)
})

after(async () => {
  if (session) await ask('DELETE', session)
  driver?.kill()
  if (driver) await once(driver, 'close')
  await removeAll(visitor, host)
})

async function ask(method, path, body) {
  const answer = await fetch(url + path, { method, body: body && JSON.stringify(body) })
  const { value } = await answer.json()
  if (!answer.ok) throw Object.assign(new Error(`${path}: ${value.message}`), { code: value.error })
  return value
}

const go = (url) => ask('POST', `${session}/url`, { url })
const run = (script) => ask('POST', `${session}/execute/sync`, { script: `return (${script})()`, args: [] })
const heading = (text) => until(`the heading “${text}”`, async () => (await run(() => document.querySelector('h1')?.textContent)) === text)
const listens = () => host.state(({ live }) => live.readers > 0)

test('a page that is put aside lets go of the stream, and takes part again when it is back', async () => {
  const first = await ask('GET', `${session}/window`)
  await go(await visitor.site(host))
  await listens()
  await run(() => void addEventListener('pageshow', ({ persisted }) => (window.persisted = persisted)))
  const { handle: second } = await ask('POST', `${session}/window/new`, { type: 'tab' })
  await ask('POST', `${session}/window`, { handle: second })
  await go(await visitor.site(host))
  await heading('first')
  await ask('POST', `${session}/window`, { handle: first })
  await go('about:blank')
  await ask('POST', `${session}/window`, { handle: second })
  await host.write('index.html', page('second'))
  await heading('second')

  await ask('POST', `${session}/window`, { handle: first })
  await ask('POST', `${session}/back`, {})
  await heading('second')
  await host.write('index.html', page('third'))
  await heading('third')
})
