// Beyond your own network: joining a rendezvous by pasting, and hosting one with a switch, on and off while the peer runs.

import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Peer, removeAll } from '../browser/lib/peer.mjs'
import { desktop, listening, pidOfWindow } from './lib/app.mjs'
import { until } from './lib/driver.mjs'

const HOSTED = '8787'

let user, window, server

before(async () => {
  user = await desktop()
  const folder = join(user.peers, 'mira')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'goop.json'), JSON.stringify({ profile: { label: 'Mira Sol' } }))
  server = await Peer.start('Far away', { config: { presence: { rendezvous_host: true, rendezvous_port: 8790, relay_port: 0 } } })
  window = await user.open()
  await window.says('Hello, Mira Sol')
  await window.press('button', 'Rendezvous')
})

after(async () => {
  await window?.end()
  await user?.remove()
  await removeAll(server)
})

test('a pasted connect URL is joined, and its peers appear', async () => {
  assert.doesNotMatch(await window.text(), /Far away/)
  const field = await window.find('textbox', 'Connect URL')
  await field.fill('  http://127.0.0.1:8790/ ')
  await window.press('button', /^(Join|Connect)/)
  await window.says(/^Far away$/m)
  await server.event((event) => event.event === 'peer' && event.label === 'Mira Sol' && event.state === 'online')
})

test('hosting is switched on and off, and so is its port', async () => {
  const pid = await pidOfWindow()
  const hosts = async () => (await listening(pid)).includes(HOSTED)
  assert.equal(await hosts(), false)
  for (const on of [true, false, true, false]) {
    await window.press('switch', 'Host a rendezvous')
    await until(`hosting ${on ? 'on' : 'off'}`, async () => (await hosts()) === on, () => window.text())
    await until('the switch to follow', () => window.run((on) => document.querySelector('[role=switch]').getAttribute('aria-checked') === String(on), on))
    await until('the page to follow', async () => (await window.text()).includes('Open public page') === on)
  }
})
