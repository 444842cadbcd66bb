// The user's changes in the window, with real peers: others see them, restarts keep them, errors give the reason.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { launch, profile, Window } from './lib/browser.mjs'
import { Peer, removeAll } from './lib/peer.mjs'

const page = (title, text = '') => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title><h1>${title}</h1>${text}`

let browser, mira, anselm, window, other

before(async () => {
  ;[browser, mira, anselm] = await Promise.all([
    launch(),
    Peer.start('Mira', { site: { 'index.html': page('Mira’s site') } }),
    Peer.start('Anselm', {
      site: {
        'index.html': page('Anselm’s site', '<a href="https://example.org/out">Out</a> <a href="wants.html">Wants</a>'),
        'wants.html': page('Wants', `<img src="http://${process.env.LAN}:9/x.png"><script>fetch('http://${process.env.LAN}:9/y').catch(() => {})</script>`),
      },
    }),
  ])
  await mira.join(anselm)
  window = await Window.open(await profile(browser), mira)
  other = await Window.open(await profile(browser), anselm)
})

after(async () => {
  await browser?.close()
  await removeAll(mira, anselm)
})

const bar = (of, name) => of.page.getByRole('navigation', { name: 'Goop2' }).getByRole('button', { name, exact: true }).click()
const field = (name) => window.page.getByRole('textbox', { name, exact: true })

async function fill(name, text) {
  await field(name).fill(text)
  await field(name).press('Enter')
}

describe('settings', () => {
  test('a new name is at the other peer within two seconds, and the old one after “Undo”', async (t) => {
    await bar(window, 'Settings')
    await field('Name').waitFor()
    const asked = []
    window.page.on('request', (request) => request.method() === 'POST' && asked.push(request.postData()))
    const start = performance.now()
    await fill('Name', 'Mira the Second')
    await other.row('Nearby', 'Mira the Second').waitFor({ timeout: 2000 })
    t.diagnostic(`${Math.round(performance.now() - start)} ms from the key to the other window`)
    await window.page.getByText('Name changed.').first().waitFor()
    assert.equal(asked.length, 1, asked.join())
    await window.page.getByRole('button', { name: 'Undo' }).click()
    await other.row('Nearby', /^Mira(?! the)/).waitFor()
    await window.page.waitForFunction((name) => name.value === 'Mira', await field('Name').elementHandle())
  })

  test('an invalid value is refused with the reason', async () => {
    await fill('Tag', 'a b')
    await window.page.getByText('Use 1–63 letters, digits, "-" or "_".').waitFor()
    await field('Tag').press('Escape')
    assert.notEqual(await field('Tag').inputValue(), 'a b')
  })

  test('a picture is chosen, cropped, shown to others and undone', async () => {
    const png = await window.page.evaluate(() => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 300, height: 200 })
      canvas.getContext('2d').fillRect(0, 0, 100, 100)
      return canvas.toDataURL('image/png').split(',')[1]
    })
    await window.page.locator('input[type=file]').setInputFiles({ name: 'me.png', mimeType: 'image/png', buffer: Buffer.from(png, 'base64') })
    await window.page.getByRole('button', { name: 'Use this picture' }).click()
    await window.page.getByText('Picture changed.').waitFor()
    const file = await readFile(join(mira.dir, 'avatar.png'))
    assert.deepEqual([...file.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47])
    await other.row('Nearby', 'Mira').locator('img').waitFor()
    await window.page.getByRole('button', { name: 'Undo' }).click()
    await other.row('Nearby', 'Mira').locator('img').waitFor({ state: 'detached' })
  })

  test('your own site gets extra sources immediately, and loses them again', async () => {
    const name = 'Extra sources your site may load on this computer'
    const source = `http://${process.env.LAN}:8123`
    const site = await mira.site(mira)
    const policy = (frame) => frame.evaluate(() => fetch(location.href).then((answer) => answer.headers.get('content-security-policy')))
    assert.ok(!(await policy(await window.visit(mira, mira))).includes(source))
    await bar(window, 'Settings')
    await fill(name, 'nonsense')
    await window.page.getByText('Enter up to 16 addresses such as http://192.168.1.20:8123.').waitFor()
    const frame = await window.arrival(site, () => fill(name, `${source}/`))
    assert.ok((await policy(frame)).includes(source))
    assert.equal(await field(name).inputValue(), source)
    const again = await window.arrival(site, () => window.page.getByRole('button', { name: 'Undo' }).click())
    assert.ok(!(await policy(again)).includes(source))
  })

  /** What is said meanwhile may stand there for half a second, so each frame is looked at. */
  async function restarted(act, ...told) {
    const text = 'Goop2 is restarting to apply your changes.'
    const says = (text) => window.page.waitForFunction((text) => document.body.innerText.includes(text), text)
    await Promise.all([...[text, ...told].map(says), act()])
    await window.page.getByText(text).last().waitFor({ state: 'detached' })
    await window.page.getByRole('status').filter({ hasText: 'Online' }).waitFor()
  }

  test('a change that needs a restart gets it automatically, and the window continues', async () => {
    const tag = await field('Tag').inputValue()
    await restarted(() => fill('Tag', 'elsewhere'), 'Tag changed. Goop2 is restarting to apply it.')
    assert.equal(await field('Tag').inputValue(), 'elsewhere')
    await restarted(() => fill('Tag', tag))
    // Nobody found it by themselves here; who met before knows the way.
    await mira.join(anselm)
    await window.row('Nearby', 'Anselm').waitFor()
  })

  test('a port in use by another program is reverted, with the reason', async () => {
    const port = anselm.listen.find((text) => text.startsWith('/ip4/127.0.0.1/tcp/')).split('/')[4]
    await fill('Port', port)
    await window.page.getByText('The previous setting is back in effect.').last().waitFor()
    await window.page.getByRole('status').filter({ hasText: 'Online' }).waitFor()
    await window.page.waitForFunction(() => document.querySelector('input[placeholder=any]')?.value === '')
    await window.page.getByRole('button', { name: 'Dismiss this notice' }).first().click()
    await mira.join(anselm)
  })

  test('goop.json is edited as a whole, by the same rules', async () => {
    await window.page.getByRole('button', { name: 'Edit goop.json' }).click()
    const text = window.page.getByRole('textbox', { name: 'goop.json' })
    const before = await text.inputValue()
    await text.fill('{ "viewer": { "theme": "blue" } }')
    await window.page.getByRole('button', { name: 'Save' }).click()
    await window.page.getByText('viewer.theme is "blue", but must be "light" or "dark"').waitFor()
    const config = JSON.parse(before)
    await text.fill(JSON.stringify({ ...config, ours: [1], profile: { ...config.profile, label: 'By hand' } }))
    await window.page.getByRole('button', { name: 'Save' }).click()
    await window.page.getByText('goop.json changed.').waitFor()
    await other.row('Nearby', 'By hand').waitFor()
    await window.page.getByRole('button', { name: 'Undo' }).click()
    await other.row('Nearby', /^Mira/).waitFor()
  })
})

describe('people', () => {
  test('a favorite with your own name for it survives a restart, even while it is offline', async () => {
    await window.row('Nearby', 'Anselm').click({ button: 'right' })
    const about = window.page.getByRole('dialog', { name: 'About this peer' })
    await about.getByRole('switch', { name: 'Favorite' }).click()
    await about.getByRole('textbox', { name: 'Your name for this person' }).fill('The neighbour')
    await about.getByRole('textbox', { name: 'Your name for this person' }).press('Enter')
    await about.getByText('Their name: Anselm').waitFor()
    await about.getByRole('button', { name: 'Close' }).click()
    await window.row('Favorites', 'The neighbour').waitFor()
    await mira.stop()
    await anselm.stop()
    await mira.run()
    const context = await profile(browser, { permissions: ['notifications'] })
    await context.addInitScript(() => {
      globalThis.told = []
      globalThis.Notification = class extends Notification {
        constructor(title, options) {
          super(title, options)
          told.push(title)
        }
      }
    })
    window = await Window.open(context, mira)
    await window.row('Favorites', 'The neighbour').getByText('left').waitFor()
  })

  test('and you are notified when it comes online, if you want that', async () => {
    await bar(window, 'Settings')
    const tell = window.page.getByRole('switch', { name: 'Tell me when a favorite comes online' })
    await tell.click()
    await tell.and(window.page.locator('[aria-checked=true]')).waitFor()
    await window.page.keyboard.press('Escape')
    await anselm.run()
    other = await Window.open(await profile(browser), anselm)
    await mira.join(anselm)
    await window.page.waitForFunction(() => told.length > 0)
    assert.deepEqual(await window.page.evaluate(() => told), ['The neighbour is online'])
  })

  test('a blocked person leaves the list, and is unblocked in the settings', async () => {
    await window.row('Favorites', 'The neighbour').click({ button: 'right' })
    await window.page.getByRole('dialog').getByRole('button', { name: 'Block' }).click()
    await window.page.getByText('The neighbour is blocked.').waitFor()
    await window.row('Favorites', 'The neighbour').waitFor({ state: 'detached' })
    await bar(window, 'Settings')
    await window.page.getByRole('button', { name: 'Unblock The neighbour' }).click()
    await mira.join(anselm)
    await window.row('Favorites', 'The neighbour').waitFor()
    await window.page.keyboard.press('Escape')
  })
})

describe('the browser', () => {
  test('a small notice shows what a page was denied', async () => {
    await window.visit(mira, anselm, '/wants.html')
    await window.toolbar.getByRole('button', { name: '2 blocked', exact: true }).click()
    await window.page.getByText(`http://${process.env.LAN}:9`).first().waitFor()
    await window.page.keyboard.press('Escape')
    await window.visit(mira, anselm)
    await window.toolbar.getByRole('button', { name: /blocked$/ }).waitFor({ state: 'detached' })
  })

  test('a link out of Goop2 asks first, and opens in the browser only after a yes', async () => {
    await window.visit(mira, anselm)
    await window.site.getByRole('link', { name: 'Out' }).click()
    const dialog = window.page.getByRole('dialog', { name: 'Leave Goop2?' })
    await dialog.getByText('https://example.org').first().waitFor()
    assert.equal(window.page.context().pages().length, 1)
    const opened = window.page.context().waitForEvent('page')
    await dialog.getByRole('button', { name: 'Open in browser' }).click()
    await (await opened).close()
    await window.site.getByRole('link', { name: 'Out' }).click()
    await dialog.getByRole('button', { name: 'Stay here' }).click()
    // One answer is enough: in a browser the strip of the app's own window does not ask again.
    assert.equal(await window.page.getByText('This link leaves Goop2').count(), 0)
    await window.site.getByRole('heading', { name: 'Anselm’s site' }).waitFor()
    assert.equal(window.page.context().pages().length, 1)
  })

  test('the usual browser keys zoom a site, and it keeps its zoom', async () => {
    const scale = () => window.page.locator('iframe').evaluate((frame) => frame.getBoundingClientRect().width / frame.offsetWidth)
    await window.address.focus()
    await window.page.keyboard.press('Control+Equal')
    await window.page.keyboard.press('Control+Equal')
    assert.equal((await scale()).toFixed(2), '1.25')
    await window.visit(mira, mira)
    assert.equal((await scale()).toFixed(2), '1.00')
    await window.visit(mira, anselm)
    assert.equal((await scale()).toFixed(2), '1.25')
    await window.page.keyboard.press('Control+0')
    assert.equal((await scale()).toFixed(2), '1.00')
  })

  test('the history is listed, navigated and cleared', async () => {
    await window.visit(mira, mira)
    await window.page.keyboard.press('Control+h')
    const rows = window.page.getByRole('main').getByRole('listitem')
    assert.ok((await rows.count()) > 2)
    await rows.filter({ hasText: '/wants.html' }).first().getByRole('button').click()
    await window.site.getByRole('heading', { name: 'Wants' }).waitFor()
    await window.page.keyboard.press('Control+h')
    await window.page.getByRole('button', { name: 'Clear' }).click()
    assert.equal(await rows.count(), 1)
    await window.page.keyboard.press('Escape')
  })
})

test('the log is live, filtered, and saved without names', async () => {
  await bar(window, 'Settings')
  await window.page.getByRole('button', { name: 'Show log' }).click()
  const log = window.page.getByRole('log')
  await log.getByText('viewer is listening').first().waitFor()
  await window.page.getByRole('combobox').selectOption({ label: 'Everything' })
  await log.getByText(anselm.id).first().waitFor()
  const saved = window.page.waitForEvent('download')
  await window.page.getByRole('button', { name: 'Save without names' }).click()
  const text = await readFile(await (await saved).path(), 'utf8')
  assert.match(text, /<peer \d+>/)
  for (const secret of [anselm.id, mira.id, mira.dir, '192.168.77.1']) assert.ok(!text.includes(secret), secret)
  await window.page.getByRole('searchbox').fill('viewer is listening')
  await log.getByText(anselm.id).first().waitFor({ state: 'detached' })
})
