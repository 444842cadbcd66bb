// Sites are on this computer, and no proxy of the system is asked for them.

import { afterEach, beforeEach, test } from 'node:test'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { desktop } from './lib/app.mjs'

// Nobody listens at the proxy. The driver's own connection to the window is at an address without a name.
const PROXY = { host: '127.0.0.1', port: 9 }
const EXEMPT = '127.0.0.1'
const DESKTOP = ['XDG_CURRENT_DESKTOP', 'GSETTINGS_BACKEND', 'KDE_FULL_SESSION']
const ENVIRONMENT = ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy']
const KEPT = Object.fromEntries([...DESKTOP, ...ENVIRONMENT].map((name) => [name, process.env[name]]))

let user, window

beforeEach(() => {
  for (const name of ENVIRONMENT) delete process.env[name]
})

afterEach(async () => {
  await window?.end()
  await user?.remove()
  for (const [name, value] of Object.entries(KEPT)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
})

test('a site is shown whatever proxy the environment names', async () => {
  for (const name of ENVIRONMENT.slice(0, 3)) process.env[name] = `http://${PROXY.host}:${PROXY.port}`
  process.env.no_proxy = EXEMPT
  user = await desktop()
  await seesOwnSite()
})

test('a site is shown whatever proxy is set in GNOME', async () => {
  Object.assign(process.env, { XDG_CURRENT_DESKTOP: 'GNOME', GSETTINGS_BACKEND: 'keyfile' })
  user = await desktop()
  const settings = join(user.home, '.config/glib-2.0/settings')
  await mkdir(settings, { recursive: true })
  const proxy = `host='${PROXY.host}'\nport=${PROXY.port}\n`
  await writeFile(join(settings, 'keyfile'), `[system/proxy]\nmode='manual'\nignore-hosts=['${EXEMPT}']\n[system/proxy/http]\nenabled=true\n${proxy}[system/proxy/https]\n${proxy}`)
  await seesOwnSite()
})

test('a site is shown whatever proxy is set in KDE', async () => {
  Object.assign(process.env, { XDG_CURRENT_DESKTOP: 'KDE', KDE_FULL_SESSION: 'true' })
  user = await desktop()
  const settings = join(user.home, '.config')
  await mkdir(settings, { recursive: true })
  const proxy = `http://${PROXY.host} ${PROXY.port}`
  await writeFile(join(settings, 'kioslaverc'), `[Proxy Settings]\nProxyType=1\nhttpProxy=${proxy}\nhttpsProxy=${proxy}\nNoProxyFor=${EXEMPT}\n`)
  await seesOwnSite()
})

async function seesOwnSite() {
  const folder = join(user.peers, 'mira')
  await mkdir(join(folder, 'site'), { recursive: true })
  await writeFile(join(folder, 'goop.json'), JSON.stringify({ profile: { label: 'Mira Sol' } }))
  await writeFile(join(folder, 'site/index.html'), '<!doctype html><title>Mine</title><h1>My own page</h1>')
  window = await user.open()
  await window.says('Hello, Mira Sol')
  await window.press('button', 'My site')
  await window.inSite(() => window.says('My own page'))
}
