// The window comes to the front of GNOME's desktop, which lets a program take the focus only on the word of its user.

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { desktop, Other, program, startAgain } from './lib/app.mjs'
import { until } from './lib/driver.mjs'

const execute = promisify(execFile)

const sessions = {
  X11: { args: ['--x11'], env: {} },
  Wayland: {
    args: ['--headless', '--wayland', '--no-x11', '--virtual-monitor', '1280x900', '--wayland-display', 'desktop'],
    env: { WAYLAND_DISPLAY: 'desktop', GDK_BACKEND: 'wayland' },
  },
}

/** The desktop serves those who use it from afar when it serves its windows. */
const isThere = async () => {
  const { stdout } = await execute('gdbus', ['call', '--session', '--dest', 'org.freedesktop.DBus', '--object-path', '/org/freedesktop/DBus', '--method', 'org.freedesktop.DBus.NameHasOwner', 'org.gnome.Mutter.RemoteDesktop'])
  return stdout.includes('true')
}

for (const [name, { args, env }] of Object.entries(sessions))
  describe(`on ${name}`, () => {
    let mutter, user, window, other

    before(async () => {
      mutter = spawn('mutter', ['--sm-disable', ...args], { env: { ...process.env, GSETTINGS_BACKEND: 'memory' }, stdio: 'ignore' })
      await until('the desktop', isThere)
      Object.assign(process.env, env)
      user = await desktop()
      const folder = join(user.peers, 'mira')
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, 'goop.json'), JSON.stringify({ profile: { label: 'Mira Sol' } }))
      window = await user.open()
      await window.says('Hello, Mira Sol')
      other = await Other.start()
    })

    after(async () => {
      other?.stop()
      await window?.end()
      await user?.remove()
      for (const variable of Object.keys(env)) delete process.env[variable]
      mutter.kill()
      await once(mutter, 'close')
    })

    /** The window is put away, and its user writes in another one. */
    const away = async () => {
      await window.ask('POST', '/window/minimize', {})
      await until('the other window in front', async () => (await other.says('look')) === 'active')
      assert.equal(await other.says('type'), 'typed')
    }

    const comes = async () => {
      await until('the window in front', () => window.run(() => document.hasFocus() && document.visibilityState === 'visible'))
      await until('the other one behind', async () => (await other.says('look')) === 'inactive')
    }

    test('a second start from the other program', async () => {
      await away()
      const token = await other.says('token')
      await execute(program, [], { env: { ...process.env, XDG_ACTIVATION_TOKEN: token, DESKTOP_STARTUP_ID: token } })
      await comes()
    })

    test('a second start from a terminal, which has no word of its user', async () => {
      await away()
      await startAgain()
      await comes()
    })

    test('a second start with a token that means nothing', async () => {
      await away()
      await execute(program, [], { env: { ...process.env, XDG_ACTIVATION_TOKEN: 'stale_TIME1', DESKTOP_STARTUP_ID: 'stale_TIME1' } })
      await comes()
    })

    test('a start at login leaves the focus where it is', async () => {
      await away()
      await startAgain('--hidden')
      assert.equal(await other.says('type'), 'typed')
      assert.equal(await other.says('look'), 'active')
    })
  })
