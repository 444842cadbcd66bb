// A saved file is live at once: open pages of visitors reload, or only their styles do, and nobody loses what they type.

import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { join } from 'node:path'
import { promised } from '../support/promise.mjs'
import { launch, profile } from './lib/browser.mjs'
import { guestbook, Peer, removeAll } from './lib/peer.mjs'

/** How often a save is timed, and how soon it should be visible on one network. */
const SAVES = 15
const VISIBLE_MS = 300
/** Files that a program writes in one go. */
const BURST = 500

const page = (text) => `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><link rel="stylesheet" href="style.css"><title>Live</title>
<h1>${text}</h1><p><a href="other.html">Other</a></p><form><label>Note <input name="note"></label><button>Send</button></form><div style="height: 3000px"></div><script src="/sdk/goop-data.js"></script>`
const site = { 'index.html': page('first'), 'other.html': page('other'), 'style.css': 'h1 { color: rgb(1, 1, 1) }', 'unused.css': '' }

let browser, visitor, host, context

before(async () => {
  ;[browser, visitor, host] = await Promise.all([launch(), Peer.start('Mira', {}), Peer.start('Host', { site, tables: guestbook })])
  await visitor.join(host)
  context = await profile(browser)
})

after(async () => {
  await browser?.close()
  await removeAll(visitor, host)
})

/** A page of the site, once it listens, and how often it was loaded since. */
async function open(from, path = '/', within = context) {
  const opened = await within.newPage()
  opened.loads = 0
  // Only one page of a browser has the stream: that it is there is seen at the owner.
  await opened.goto(await from.site(host, path))
  await opened.waitForFunction(() => globalThis[Symbol.for('goop.live')])
  opened.on('framenavigated', () => opened.loads++)
  return opened
}

const heading = (page, text, options) => page.getByRole('heading', { level: 1, name: text, exact: true }).waitFor(options)
const color = (page) => page.evaluate(() => getComputedStyle(document.querySelector('h1')).color)
const shows = (page, wanted) => page.waitForFunction((wanted) => getComputedStyle(document.querySelector('h1')).color === wanted, wanted)
/** Waits for what the owner sees. */
const seen = async (fits) => (await host.state(({ live }) => fits(live))).live

describe('a page that is open', { timeout: 120_000 }, () => {
  test('reloads when it changes, at a visitor and at its owner, and stays where it was', async () => {
    const [reader, owner] = await Promise.all([open(visitor), open(host)])
    await reader.evaluate(() => scrollTo(0, 700))
    await host.write('index.html', page('second'))
    await Promise.all([heading(reader, 'second'), heading(owner, 'second')])
    await reader.waitForFunction(() => scrollY === 700)
    assert.equal(reader.loads, 1)
    await Promise.all([reader.close(), owner.close()])
  })

  test('loads only the styles again where only styles changed', async () => {
    const reader = await open(visitor)
    await reader.evaluate(() => (globalThis.kept = true))
    await host.write('style.css', 'h1 { color: rgb(2, 2, 2) }')
    await shows(reader, 'rgb(2, 2, 2)')
    await host.write('style.css', 'h1 { color: rgb(3, 3, 3) }')
    await shows(reader, 'rgb(3, 3, 3)')
    assert.equal(await reader.evaluate(() => globalThis.kept), true)
    assert.equal(await reader.locator('link[rel=stylesheet]').count(), 1)
    await reader.close()
  })

  test('does not mind what it does not use', async () => {
    const reader = await open(visitor)
    await host.write('unused.css', 'a {}')
    await host.write('other.html', page('other, later'))
    await host.write('.hidden', 'x')
    // Told in order: when this is there, those before were told.
    await host.write('style.css', 'h1 { color: rgb(4, 4, 4) }')
    await shows(reader, 'rgb(4, 4, 4)')
    assert.equal(reader.loads, 0)
    await reader.close()
  })

  test('waits while somebody types, and says so', async () => {
    const reader = await open(visitor)
    const note = reader.getByRole('textbox', { name: 'Note' })
    await note.fill('half a sen')
    await host.write('index.html', page('third'))
    await reader.locator('goop-live').waitFor({ state: 'attached' })
    // Elsewhere on the page, with the field as it was left.
    await note.blur()
    assert.equal(await note.inputValue(), 'half a sen')
    assert.equal(reader.loads, 0)
    await note.fill('')
    await note.blur()
    await heading(reader, 'third')
    await reader.close()
  })

  test('reloads once for a burst of files', async () => {
    const reader = await open(visitor)
    for (let file = 0; file < BURST; file++) await host.write(`burst/${file}.txt`, 'x')
    await host.write('index.html', page('after the burst'))
    await heading(reader, 'after the burst')
    // Whatever was still to be told came before this.
    await host.write('style.css', 'h1 { color: rgb(5, 5, 5) }')
    await shows(reader, 'rgb(5, 5, 5)')
    assert.equal(reader.loads, 1)
    await reader.close()
  })

  test('is one stream for a browser, which the next page takes over', async () => {
    const streams = []
    context.on('request', (request) => request.url().includes('/changes') && streams.push(request))
    const first = await open(visitor)
    await seen(({ readers }) => readers === 1)
    const second = await open(visitor)
    await host.write('index.html', page('to both'))
    await Promise.all([heading(first, 'to both'), heading(second, 'to both')])
    await first.close()
    await host.write('index.html', page('to the other'))
    await heading(second, 'to the other')
    context.removeAllListeners('request')
    await second.close()
  })

  test('is up to date again when its owner comes back', async () => {
    const reader = await open(visitor)
    await host.stop()
    await host.write('index.html', page('changed while it was away'))
    await host.run()
    await visitor.join(host)
    // It tries every few seconds, and finds its owner by the address that was given just now.
    await heading(reader, 'changed while it was away', { timeout: 60_000 })
    await reader.close()
  })
})

describe('the owner', { timeout: 120_000 }, () => {
  test('sees who reads, and how often the site was visited', async () => {
    const reader = await open(visitor, '/other.html')
    const now = await seen(({ pages, today }) => today > 0 && pages.some(({ path, readers }) => path === '/other.html' && readers === 1))
    assert.ok(now.month >= now.today && now.counting && now.reloading)
    await reader.close()
    await seen(({ readers }) => readers === 0)
  })

  test('can switch both off while the peer runs', async () => {
    await host.api('api/settings', { 'site.reload': false, 'site.count_visits': false })
    const now = await seen(({ counting, reloading }) => !counting && !reloading)
    assert.equal(now.today, 0)
    // A browser that has no copy of the page.
    const fresh = await profile(browser)
    const quiet = await fresh.newPage()
    const answer = await quiet.goto(await visitor.site(host, '/other.html'))
    assert.ok(!(await answer.text()).includes('goop-live.js'))
    await fresh.close()
    await host.api('api/settings', { 'site.reload': true, 'site.count_visits': true })
    await seen(({ counting, reloading, today }) => counting && reloading && today > 0)
  })
})

test('programs get the file as it is', async () => {
  const reader = await open(visitor)
  const read = await reader.evaluate(() => fetch(location.href).then((answer) => answer.text()))
  assert.ok(read.includes('<h1>') && !read.includes('goop-live.js'))
  const scripts = () => reader.evaluate(() => document.querySelectorAll('script[src="/sdk/goop-live.js"]').length)
  assert.equal(await scripts(), 1)
  // What the browser keeps now is the file as it is, and the page is another version.
  await reader.reload()
  assert.equal(await scripts(), 1)
  await reader.close()
})

test('a guestbook is live for all who read it', async () => {
  const pages = await Promise.all([open(visitor), open(host), open(visitor)])
  for (const each of pages) {
    await each.evaluate(() => {
      globalThis.messages = []
      globalThis.stop = Goop.data.subscribe('guestbook', async () => (globalThis.messages = (await Goop.data.query('guestbook')).map((row) => row.message)))
    })
  }
  const shown = (text) => Promise.all(pages.map((each) => each.waitForFunction((text) => globalThis.messages.includes(text), text)))
  await pages[0].evaluate(() => Goop.data.insert('guestbook', { message: 'from a visitor' }))
  await shown('from a visitor')
  await pages[1].evaluate(() => Goop.data.insert('guestbook', { message: 'from the owner' }))
  await shown('from the owner')
  await pages[0].evaluate(() => globalThis.stop())
  await host.api('api/data/insert', { table: 'guestbook', data: { message: 'from the window' } })
  await pages[2].waitForFunction(() => globalThis.messages.includes('from the window'))
  assert.ok(!(await pages[0].evaluate(() => globalThis.messages)).includes('from the window'))
  await Promise.all(pages.map((each) => each.close()))
})

test('a folder that is deleted and put back is watched again', async () => {
  const reader = await open(visitor)
  await rm(join(host.dir, 'site'), { recursive: true })
  for (const [path, text] of Object.entries({ ...site, 'index.html': page('put back') })) await host.write(path, text)
  await heading(reader, 'put back')
  await host.write('index.html', page('and changed'))
  await heading(reader, 'and changed')
  await reader.close()
})

test('what is saved is visible at once', { timeout: 120_000 }, async () => {
  const reader = await open(visitor)
  const took = []
  for (let save = 0; save < SAVES; save++) {
    const begun = performance.now()
    await host.write('index.html', page(`save ${save}`))
    await heading(reader, `save ${save}`)
    took.push(performance.now() - begun)
  }
  await reader.close()
  promised('a save, visible at a visitor’s open page, median', took.sort((a, b) => a - b)[Math.floor(SAVES / 2)], VISIBLE_MS)
})
