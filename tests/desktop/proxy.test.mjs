// Sites are on this computer, and no proxy of the system is asked for them.

import { after, before, test } from 'node:test'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { desktop } from './lib/app.mjs'

let user, window

before(async () => {
  // Nobody listens there. The driver's own connection to the window is at an address without a name.
  for (const name of ['http_proxy', 'https_proxy', 'all_proxy']) process.env[name] = 'http://127.0.0.1:9'
  process.env.no_proxy = '127.0.0.1'
  user = await desktop()
  const folder = join(user.peers, 'mira')
  await mkdir(join(folder, 'site'), { recursive: true })
  await writeFile(join(folder, 'goop.json'), JSON.stringify({ profile: { label: 'Mira Sol' } }))
  await writeFile(join(folder, 'site/index.html'), '<!doctype html><title>Mine</title><h1>My own page</h1>')
  window = await user.open()
})

after(async () => {
  await window?.end()
  await user?.remove()
})

test('a site is shown whatever proxy the system has', async () => {
  await window.says('Hello, Mira Sol')
  await window.press('button', 'My site')
  await window.inSite(() => window.says('My own page'))
})
