// A browser in which names under `.localhost` don't resolve, as in some versions of Safari: the window detects that and shows
// each site at its own port, behind the same walls.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { forbidden } from './lib/attack.mjs'
import { launchKeeping, Window } from './lib/browser.mjs'
import { Canary } from './lib/canary.mjs'
import { guestbook, Peer, removeAll } from './lib/peer.mjs'
import { requests } from './lib/requests.mjs'

const NO_NAMES = '--host-resolver-rules=MAP *.localhost ~NOTFOUND, EXCLUDE localhost'

const page = (title) => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title><h1>${title}</h1>`

let canary, context, visitor, anna, bo, carl, window
const frames = {}

before(async () => {
  const site = (label) => ({ site: { 'index.html': page(label), 'next.html': page(`${label}, next`), 'pack.zip': 'PK' }, tables: guestbook })
  ;[context, canary, visitor, anna, bo, carl] = await Promise.all([
    launchKeeping(NO_NAMES),
    Canary.start(),
    Peer.start('Visitor'),
    ...['Anna', 'Bo', 'Carl'].map((label) => Peer.start(label, site(label))),
  ])
  for (const peer of [anna, bo, carl]) await visitor.join(peer)
  window = await Window.open(context, visitor)
})

after(async () => {
  await context?.close()
  await Promise.all([canary?.stop(), removeAll(visitor, anna, bo, carl)])
})

/** What `act` brings into the window's frame from any port. */
async function shown(peer, path, act) {
  const arrived = window.page.waitForEvent('framenavigated', {
    predicate: (frame) => new URL(frame.url()).hostname === 'localhost' && frame.url().endsWith(`/p/${peer.id}${path}`),
  })
  await act()
  const frame = await arrived
  await frame.waitForLoadState()
  return frame
}

const visit = (peer, path = '/') => shown(peer, path, () => window.go(`goop://${peer.id}${path}`))
/** Of the sites that the window asks for from now on, those it asks for by name. */
function names() {
  const asked = []
  window.page.on('request', (request) => {
    const { hostname } = new URL(request.url())
    if (hostname.endsWith('.localhost')) asked.push(hostname)
  })
  return asked
}

const hint = () => window.page.getByText('didn’t load')

test('names do not resolve here', async () => {
  const tab = await context.newPage()
  await assert.rejects(tab.goto(await visitor.site(anna)), /ERR_NAME_NOT_RESOLVED/)
  await tab.close()
})

test('the first page loads nevertheless, in a reloaded window', async () => {
  const asked = names()
  frames.anna = await visit(anna)
  assert.notDeepEqual(asked, [])
  assert.equal(window.page.url().split('#', 1)[0], `${visitor.url}?ports`)
  assert.equal(await frames.anna.getByRole('heading').textContent(), 'Anna')
  await window.address.filter({ hasText: 'Anna' }).waitFor()
  assert.equal(await hint().count(), 0)
})

test('the next ones load at once, each peer at its own port', async () => {
  frames.anna = await visit(anna)
  const annas = new URL(frames.anna.url()).origin
  const moved = await visit(bo)
  assert.notEqual(new URL(moved.url()).origin, annas)
  assert.equal(window.page.url().split('#', 1)[0], `${visitor.url}?ports`)
  await visit(anna, '/next.html')
  await window.address.filter({ hasText: 'next' }).waitFor()
  await shown(bo, '/', () => window.back.click())
})

test('its data works, and is its owner’s', async () => {
  const frame = await visit(anna)
  const insert = ([peer, message]) =>
    fetch(`/api/p/${peer}/data/insert`, { method: 'POST', body: JSON.stringify({ table: 'guestbook', data: { message } }) }).then((response) => response.status)
  assert.equal(await frame.evaluate(insert, [anna.id, 'hello']), 200)
  assert.deepEqual((await anna.rows('guestbook')).map((row) => [row._owner, row.message]), [[visitor.id, 'hello']])
  assert.equal(await frame.evaluate(insert, [bo.id, 'hello']), 403)
  assert.deepEqual(await bo.rows('guestbook'), [])
})

test('what one site stores is hidden from others and still there at the next visit', async () => {
  const frame = await visit(anna)
  await frame.evaluate(() => localStorage.setItem('kept', 'by Anna'))
  assert.equal(await (await visit(bo)).evaluate(() => localStorage.getItem('kept')), null)
  assert.equal(await (await visit(anna)).evaluate(() => localStorage.getItem('kept')), 'by Anna')
})

describe('a site at a port', () => {
  let frame, others
  before(async () => {
    others = new URL((await visit(bo)).url()).origin
    frame = await visit(anna)
  })

  for (const how of ['fetch', 'beacon', 'WebSocket', 'script', 'image', 'frame', 'form']) {
    test(`does not reach another port by ${how}`, async () => {
      const [directive, way] = requests[how]
      for (const url of [canary.at('127.0.0.1'), canary.at('localhost'), `${others}/p/${bo.id}/`, `${visitor.url}api/snapshot`]) await forbidden(frame, way, directive, url)
      assert.equal(canary.heard, 0)
    })
  }

  test('plants no cookie where the user’s window is', async () => {
    assert.equal(await frame.evaluate(() => document.cookie), '')
    await frame.evaluate(() => {
      for (const more of ['', '; domain=127.0.0.1', '; SameSite=None; Secure']) document.cookie = `goop2=planted; path=/${more}`
    })
    assert.deepEqual(await context.cookies(visitor.url), [])
  })

  test('does not lead its frame to another port', async () => {
    const blocked = window.page.waitForEvent('console', { predicate: (message) => /Content Security Policy/.test(message.text()) })
    // The window shows the site again, and asks about the other place.
    frame = await shown(anna, '/', () => frame.evaluate((url) => void (location.href = url), canary.at('localhost')))
    await blocked
    assert.equal(canary.heard, 0)
    await window.page.getByRole('dialog', { name: 'Leave Goop2?' }).getByRole('button', { name: 'Stay here' }).click()
  })
})

test('a link leads to a site that was visited, and says how to open one that was not', async () => {
  let frame = await visit(anna)
  frame = await shown(bo, '/', () => frame.evaluate((id) => void (location.href = `/p/${id}/`), bo.id))
  await window.address.filter({ hasText: 'Bo' }).waitFor()
  frame = await shown(anna, '/', () => frame.evaluate((url) => void (location.href = url), `${visitor.url}p/${anna.id}/`))
  await frame.evaluate((id) => void (location.href = `/p/${id}/next.html`), carl.id)
  await window.site.getByRole('heading', { name: 'Link to another site' }).waitFor()
  await window.site.getByText(`goop://${carl.id}/next.html`).waitFor()
})

test('a download leaves the window where it is', async () => {
  const frame = await visit(anna)
  const download = window.page.waitForEvent('download')
  await frame.evaluate(() => void (location.href = 'pack.zip'))
  await (await download).cancel()
  await shown(anna, '/next.html', () => frame.evaluate(() => void (location.href = 'next.html')))
  await window.address.filter({ hasText: 'next' }).waitFor()
})

test('a reloaded window need not detect it again', async () => {
  const asked = names()
  await window.page.reload()
  await window.page.getByRole('status').filter({ hasText: 'Online' }).waitFor()
  await visit(bo)
  assert.deepEqual(asked, [])
})

test('no ports are opened but for the user’s window', async () => {
  const named = async (peer) => (await fetch(`${peer.url}?ports`)).headers.get('content-security-policy').match(/\/\/localhost:\d+(?=[ ;])/g)
  assert.equal((await named(visitor)).length, 32)
  assert.equal((await fetch(`${bo.url}api/ports`, { method: 'POST', body: '{}' })).status, 401)
  assert.equal(await named(bo), null)
})
