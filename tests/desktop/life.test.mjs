// The app outlives its peer: offline and online again, stopped by a failure, with a tray and without one.

import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { guestbook, Peer, removeAll } from '../browser/lib/peer.mjs'
import { deafen, desktop, Notifications, panicIn, pidOfWindow, reachable, Tray } from './lib/app.mjs'
import { KEY, until } from './lib/driver.mjs'

/** Of the window, in pixels; not what it has at first. */
const SIZE = { width: 900, height: 610 }
/** Longer than from one look at the tables to the next. */
const LOOK_MS = 12_000

let user, window, neighbour, pid, seen, config, folder

before(async () => {
  user = await desktop()
  folder = join(user.peers, 'mira')
  await mkdir(join(folder, 'site'), { recursive: true })
  await writeFile(join(folder, 'site/index.html'), '<!doctype html><title>Mine</title><h1>A page of mine</h1>')
  await writeFile(join(folder, 'tables.json'), JSON.stringify(guestbook))
  config = join(folder, 'goop.json')
  await writeFile(config, JSON.stringify({ profile: { label: 'Mira Sol' } }))
  neighbour = await Peer.start('Anselm — field notes', { from: 'peers/neighbour', config: { p2p: { mdns_tag: 'goop-mdns' } } })
  window = await user.open()
  await window.says('Hello, Mira Sol')
  pid = await pidOfWindow()
  seen = (state) => neighbour.event((event) => event.event === 'peer' && event.label === 'Mira Sol' && event.state === state)
  await seen('online')
})

after(async () => {
  await window?.end()
  await user?.remove()
  await removeAll(neighbour)
})

const back = async () => {
  await window.says('Hello, Mira Sol')
  await seen('online')
}

const hasSize = async () => {
  const { width, height } = await window.ask('GET', '/window/rect')
  return width === SIZE.width && height === SIZE.height
}

describe('without a tray', () => {
  test('it starts at login if the user wants that', async () => {
    const entries = join(user.home, '.config/autostart')
    await window.press('button', 'Settings')
    const entry = async () => (await Promise.all((await readdir(entries).catch(() => [])).map((name) => readFile(join(entries, name), 'utf8')))).join()
    const turn = async (on) => {
      await window.press('switch', 'Start when I log in')
      await until('the switch to follow', () => window.run((on) => document.querySelector('[role=switch][aria-label="Start when I log in"]').getAttribute('aria-checked') === String(on), on))
    }
    await turn(true)
    await until('the entry', async () => /^Exec=.*goop2.* --hidden/m.test(await entry()))
    await turn(false)
    await until('no entry', async () => (await entry()) === '')
    await window.press('button', 'Close this page')
  })

  test('offline is offline: it says goodbye, and others can reach no socket', async () => {
    assert.ok((await reachable(pid)).length > 0)
    neighbour.forget()
    await window.press('button', 'Online: your sites')
    await window.press('button', 'Go offline')
    await window.says('You’re offline')
    await seen('offline')
    // A UDP socket stays a moment for what is under way.
    await until('no open socket', async () => (await reachable(pid)).length === 0)
  })

  test('its owner still sees the site, as it is now', async () => {
    await window.press('button', 'My site')
    await window.press('button', 'View as a visitor')
    await window.inSite(() => window.says('A page of mine'))
    await writeFile(join(folder, 'site/index.html'), '<!doctype html><title>Mine</title><h1>Another page of mine</h1>')
    await window.inSite(() => window.says('Another page of mine'))
    await window.press('button', 'Back to my site')
    await window.says('Offline')
    await window.press('button', 'Close this page')
    await window.says('You’re offline')
  })

  test('its settings can still be changed', async () => {
    await window.press('button', 'Settings')
    await window.says('Changes apply when your peer goes back online.')
    const name = await window.find('textbox', 'Name')
    await name.fill('Mira at Rest')
    await window.key(KEY.enter)
    await window.says('Name changed.')
    assert.equal(JSON.parse(await readFile(config, 'utf8')).profile.label, 'Mira at Rest')
    await window.press('button', 'Undo')
    await until('the name from before', async () => JSON.parse(await readFile(config, 'utf8')).profile.label === 'Mira Sol')
    await window.press('button', 'Close this page')
    await window.says('You’re offline')
    assert.deepEqual(await reachable(pid), [])
  })

  test('and a new name is the one in the list of sites', async () => {
    const rename = async (name) => {
      await window.press('button', 'Settings')
      const field = await window.find('textbox', 'Name')
      await field.fill(name)
      await window.key(KEY.enter)
      await until('the name', async () => JSON.parse(await readFile(config, 'utf8')).profile.label === name)
      await window.press('button', 'Close this page')
    }
    await rename('Mira Renamed')
    await window.press('button', 'Your sites')
    await window.says('Mira Renamed')
    await window.answer('Close')
    await rename('Mira Sol')
  })

  test('and it goes online again', async () => {
    neighbour.forget()
    await window.press('button', 'Go online')
    await back()
  })
})

describe('settings that no peer can start with', () => {
  let good
  test('are explained, and repaired in the window', async () => {
    await window.press('button', 'Online: your sites')
    await window.press('button', 'Go offline')
    await window.says('You’re offline')
    good = await readFile(config, 'utf8')
    await writeFile(config, '{ "p2p": { "listen_port": "x" } }')
    await window.press('button', 'Go online')
    await window.says('Your peer stopped')
    await window.says('p2p.listen_port is "x", but must be a port from 0 to 65535')
    await window.press('button', 'Settings')
    await window.says('Your peer can’t start with these settings.')
    await window.press('button', 'Edit goop.json')
    const text = await window.find('textbox', 'goop.json')
    assert.equal(await text.value(), '{ "p2p": { "listen_port": "x" } }')
    await text.fill(good)
    await window.press('button', 'Save')
    await window.says('goop.json changed.')
    await window.find('textbox', 'Name')
    await window.press('button', 'Close this page')
  })

  test('and it starts again', async () => {
    neighbour.forget()
    await window.press('button', 'Start again')
    await back()
  })
})

describe('a failure of the peer', () => {
  test('is shown with the log, and the app stays', async () => {
    neighbour.forget()
    const port = await window.run(() => window.__TAURI_INTERNALS__.invoke('session').then(({ viewer_port }) => viewer_port))
    await deafen(pid, port)
    await window.says('Your peer stopped')
    await window.says(`lost its port ${port}`)
    await window.says('Last lines of the log')
    await seen('offline')
    assert.equal(await pidOfWindow(), pid)
  })

  test('and it starts again', async () => {
    neighbour.forget()
    await window.press('button', 'Start again')
    await back()
  })
})

describe('a panic in the peer', () => {
  test('is shown with the log, and the app stays', async () => {
    const whole = await panicIn(pid, 'goop2_peer::presence::Task::publish')
    await window.says('Your peer stopped')
    await window.says('Presence failed: called `Option::unwrap()`')
    await window.says('Last lines of the log')
    assert.equal(await pidOfWindow(), pid)
    await whole()
  })

  test('and it starts again', async () => {
    await window.press('button', 'Start again')
    await window.says('Hello, Mira Sol')
  })
})

describe('with a tray', () => {
  let tray
  before(async () => {
    tray = await Tray.start()
    assert.equal(await tray.line(), 'icon')
  })
  after(() => tray?.stop())

  test('it takes the peer offline and online', async () => {
    neighbour.forget()
    await tray.has('Go offline')
    await tray.click('Go offline')
    await window.says('You’re offline')
    await seen('offline')
    await tray.has('Go online')
    neighbour.forget()
    await tray.click('Go online')
    await back()
  })

  test('closing the window asks, and the app keeps running', async () => {
    await window.run(() => void window.__TAURI_INTERNALS__.invoke('close_window'))
    await window.find('dialog', 'Stay online?')
    await window.press('button', 'Keep running')
    await until('no window', () => window.run(() => document.visibilityState === 'hidden'))
    assert.ok((await reachable(pid)).length > 0)
    await tray.click('Open Goop2')
    await until('the window', () => window.run(() => document.visibilityState === 'visible'))
  })

  test('a favorite that comes online brings a notification', async () => {
    const told = await Notifications.start()
    try {
      await window.press('button', /^About Anselm/)
      await window.press('switch', 'Favorite')
      await window.press('button', 'Close')
      await window.press('button', 'Settings')
      await window.press('switch', 'Tell me when a favorite comes online')
      await window.press('button', 'Close this page')
      await neighbour.stop()
      await window.says('left')
      await neighbour.run()
      assert.deepEqual(await told.next(), ['Anselm — field notes is online', 'One of your favorites in Goop2.'])
      await seen('online')
    } finally {
      told.stop()
    }
  })

  test('what a visitor writes brings a notification', async () => {
    const told = await Notifications.start()
    try {
      await window.press('button', 'My site')
      await window.press('button', 'Tables')
      await window.press('switch', 'Notify me')
      // What its owner looks at is no news.
      await window.press('button', 'Close this page')
      const { peers } = await neighbour.api('api/snapshot')
      const { id } = peers.find(({ label }) => label === 'Mira Sol')
      // Whoever comes online is another one.
      const next = async () => {
        for (;;) {
          const said = await told.next()
          if (!said[0].endsWith('is online')) return said
        }
      }
      const notice = next()
      // Only what comes after the first look is news.
      for (let seen; !seen; seen = await Promise.race([notice, sleep(LOOK_MS)])) {
        await neighbour.api(`api/p/${id}/data/insert`, { table: 'guestbook', data: { message: 'Hello' } })
      }
      const [title, text] = await notice
      assert.equal(title, 'Someone wrote on your site')
      assert.match(text, /^(1 new entry|\d new entries) in guestbook$/)
    } finally {
      told.stop()
    }
  })

  test('quitting from the tray says goodbye', async () => {
    await window.ask('POST', '/window/rect', SIZE)
    await until('the size', hasSize)
    neighbour.forget()
    await tray.click('Quit Goop2')
    await seen('offline')
    await until('the end of the program', async () => pidOfWindow().then(() => false, () => true))
    await window.end()
  })

  test('a start at login is online without a window, and the tray opens one', async () => {
    neighbour.forget()
    window = await user.open('--hidden')
    assert.equal(await tray.line(), 'icon')
    await seen('online')
    assert.equal(await window.run(() => document.visibilityState), 'hidden')
    await tray.click('Open Goop2')
    await until('the window', () => window.run(() => document.visibilityState === 'visible'))
    await window.says('Hello, Mira Sol')
    await until('the size that it was left with', hasSize)
  })
})
