// The administration of a rendezvous server. It shows what strangers say about themselves.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch } from './lib/browser.mjs'
import { open, runsNothing, sound } from './lib/page.mjs'
import { Peer, removeAll } from './lib/peer.mjs'
import { administration, password, peerId, Rendezvous } from './lib/rendezvous.mjs'

/** Names that strangers may give themselves. */
const hostile = {
  'a picture with a handler': '<img src=x onerror="alert(1)">',
  'a script': '</b></bdi><script>alert(1)</script>',
  'the end of an attribute': `"'></button><svg onload=alert(1)> \${alert(1)} {{alert(1)}}`,
  'a link': '<a href="javascript:alert(1)" target=_top>verified</a>',
  'turned around': '\u202Everified\u202D \u2067gpj.exe\u2066',
  'nothing to see': '\u200B\u2060\u00AD\u200E \u3164',
  'lines and controls': 'one\n\n\ntwo\r\n\u0000\u001B[31m\u0007\u0085\u2028three',
  'emoji': '👩‍👩‍👧‍👦🏳️‍🌈 ❤️‍🔥 Z̸̧̛͇͖͈̈́ą̵̳̐l̷̗̈́g̷͎̈o̵͇͐',
  'one long word': 'W'.repeat(4096),
  'many long words': 'ﷺ'.repeat(4096 / 3),
}
const email = (label) => (label.length > 300 ? `${'e'.repeat(300)}@example.org` : `${label}@example.org`)

let browser, server, closed, peer

before(async () => {
  ;[browser, server, closed] = await Promise.all([launch(), Rendezvous.withRelay({ ttl_seconds: 3600 }), Rendezvous.start({ admin_password: '' })])
  peer = await Peer.start('Mira’s corner', { config: { presence: { rendezvous_wan: server.url, heartbeat_seconds: 1 }, profile: { email: 'mira@example.org' } } })
})

after(async () => {
  await browser?.close()
  await removeAll(peer, server, closed)
})

const list = (page, name) => page.getByRole('list', { name, exact: true })
const row = (page, id) => list(page, 'Peers').getByRole('listitem').filter({ hasText: id })

describe('the administrator', () => {
  let page, context, odd, headers

  test('is kept out with a wrong password, for a while', async () => {
    ;({ page, context, odd } = await open(browser, `${server.url}/admin`))
    await sound(page, 'sign-in')
    assert.equal(await page.evaluate(() => document.activeElement.id), 'password')
    await page.getByLabel('Password').fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'Wrong password.' }).waitFor()
    await sound(page, 'sign-in with a problem')
    // Each wrong password makes the wait longer; the right one does not help before it is over.
    const form = { method: 'POST', redirect: 'manual', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
    const attempt = async (password) => (await fetch(`${server.url}/admin/login`, { ...form, body: new URLSearchParams({ password }) })).status
    for (let wrong = 1; wrong < 4;) if ((await attempt('wrong')) === 401) wrong++
    assert.equal(await attempt(password), 429)
    await page.getByLabel('Password').fill(password)
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: /^Too many attempts\. Try again in \d s\.$/ }).waitFor()
  })

  test('gets in once the wait is over, and stays', async () => {
    await page.waitForLoadState()
    const form = page.getByLabel('Password')
    while (await form.count()) {
      await form.fill(password)
      await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')])
    }
    await page.getByRole('heading', { name: 'Peers' }).waitFor()
    headers = (await page.reload()).headers()
    await page.getByRole('heading', { name: 'Peers' }).waitFor()
    const [cookie, ...others] = await context.cookies()
    assert.deepEqual(others, [])
    assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path, cookie.domain], [true, 'Strict', '/', '127.0.0.1'])
    assert.ok(cookie.expires * 1000 <= Date.now() + 12 * 60 * 60 * 1000, 'half a day at most')
    assert.equal(await page.evaluate(() => document.cookie), '')
  })

  test('sees who is online as it happens', async () => {
    await row(page, peer.id).waitFor()
    assert.equal(await row(page, peer.id).locator('b').textContent(), peer.label)
    for (const text of [/^verified$/, /^mira@example\.org$/, /^online for \d+ (s|min), last seen \d+ s ago, from 127\.0\.0\.1$/]) await row(page, peer.id).getByText(text).waitFor()
    const addrs = ['/ip4/198.51.100.7/tcp/4001', '/ip6/2001:db8::7/udp/4001/quic-v1']
    const guest = { peerId: peerId('guest'), content: 'Guest', addrs }
    await server.publish(guest)
    await row(page, guest.peerId).getByText('not verified').waitFor()
    await row(page, guest.peerId).getByText('2 addresses').click()
    for (const addr of addrs) await row(page, guest.peerId).getByText(addr).waitFor()
    await server.publish({ ...guest, content: 'Guest, renamed' })
    await row(page, guest.peerId).getByText('Guest, renamed').waitFor()
    assert.equal(await row(page, guest.peerId).getByText(addrs[0]).isVisible(), true, 'the list stays open')
    await page.getByText(/^Up for \d+ /).waitFor()
    assert.deepEqual([await page.locator('#total').textContent(), await page.locator('#proved').textContent()], ['2', '1'])
  })

  test('finds one among many', async () => {
    await page.getByRole('searchbox').fill('MIRA@')
    await row(page, peerId('guest')).waitFor({ state: 'detached' })
    await row(page, peer.id).waitFor()
    await page.getByRole('searchbox').fill('nobody of this name')
    await page.getByRole('region', { name: 'Peers' }).getByText('None.').waitFor()
    await page.getByRole('searchbox').fill('')
    await row(page, peerId('guest')).waitFor()
  })

  test('removes a peer, which may come back', async () => {
    await page.getByRole('button', { name: 'Kick Guest, renamed' }).click()
    await row(page, peerId('guest')).waitFor({ state: 'detached' })
    await page.getByText(`${peerId('guest')} removed by the administrator`).waitFor()
    assert.equal(await server.publish({ peerId: peerId('guest'), content: 'Guest' }), 204)
    await row(page, peerId('guest')).waitFor()
  })

  test('blocks a peer after a question and unblocks it, from the keyboard', async () => {
    const guest = { peerId: peerId('guest'), content: 'Guest' }
    page.once('dialog', (dialog) => dialog.dismiss())
    await page.getByRole('button', { name: 'Block Guest' }).press('Enter')
    assert.equal(await server.publish(guest), 204)
    page.once('dialog', (dialog) => dialog.accept())
    await page.getByRole('button', { name: 'Block Guest' }).press('Enter')
    await row(page, guest.peerId).waitFor({ state: 'detached' })
    assert.equal(await list(page, 'Peers').evaluate((list) => list === document.activeElement), true, 'the list has the focus')
    assert.equal(await server.publish(guest), 403)
    await list(page, 'Blocked').getByText(guest.peerId).waitFor()
    await sound(page, 'administration with a block')
    await page.getByRole('button', { name: `Unblock ${guest.peerId}` }).press('Space')
    await page.getByRole('heading', { name: 'Blocked' }).waitFor({ state: 'hidden' })
    assert.equal(await server.publish(guest), 204)
    const log = await page.getByRole('group', { name: 'Log' }).textContent()
    for (const what of ['unblocked', 'blocked', 'removed']) assert.ok(log.includes(`${guest.peerId} ${what} by the administrator`), what)
  })

  test('sees what failed', async () => {
    await page.route('**/admin/kick', (route) => route.fulfill({ status: 404, body: 'nothing to do\n' }))
    await page.getByRole('button', { name: 'Kick Guest' }).click()
    await page.getByRole('alert').filter({ hasText: 'That didn’t work: nothing to do' }).waitFor()
    await page.unroute('**/admin/kick')
    odd.length = 0
  })

  test('reads the limits', async () => {
    const limits = page.getByRole('region', { name: 'Limits' })
    for (const name of ['Peers', 'Event streams', 'Messages per address', 'Messages per peer']) await limits.getByRole('rowheader', { name, exact: true }).waitFor()
    assert.match(await limits.getByRole('row', { name: /^Peers / }).getByRole('cell').textContent(), /^\d{1,3}(,\d{3})+$/)
    await sound(page, 'administration')
  })

  test('sees what the relay does', async () => {
    const relay = page.getByRole('region', { name: 'Relay' })
    const { peer_id, addrs } = await (await fetch(`${server.url}/relay`)).json()
    await relay.getByText(`${peer_id}, at `).waitFor()
    assert.ok(addrs.length > 0)
    const figures = await relay.locator('.facts > div').evaluateAll((figures) => figures.map((figure) => figure.innerText.split('\n')))
    const names = (figure, one, many) => (figure === '1' ? one : many)
    const [, [circuits], [connections]] = figures
    assert.deepEqual(figures.map(([, name]) => name), ['using the relay', names(circuits, 'open visit', 'open visits'), names(connections, 'connection', 'connections'), 'relayed'])
    for (const [figure] of figures) assert.match(figure, /^\d/)
    await page.route('**/admin/state.json*', async (route) => {
      const response = await route.fetch()
      const state = await response.json()
      state.relay.refused = [['too many requests', 1234], ['connections over the limit', 5]]
      await route.fulfill({ response, json: state })
    })
    await relay.getByText('Refused: too many requests (1,234); connections over the limit (5).', { exact: true }).waitFor()
    await page.unroute('**/admin/state.json*')
    for (const name of ['Peers using it', 'Visits through it']) await relay.getByText(name).click()
    await sound(page, 'administration with a relay')
  })

  test('copies from a list that keeps changing', async () => {
    const id = row(page, peer.id).locator('code').first()
    await id.evaluate((code) => getSelection().selectAllChildren(code))
    await page.waitForResponse('**/admin/state.json*')
    await page.waitForResponse('**/admin/state.json*')
    assert.equal(await page.evaluate(() => getSelection().toString()), peer.id)
    await page.evaluate(() => getSelection().removeAllRanges())
  })

  for (const [name, label] of Object.entries(hostile)) {
    test(`reads any name a stranger chooses: ${name}`, async () => {
      const id = peerId(name)
      assert.equal(await server.publish({ peerId: id, content: label, email: email(label), avatarHash: '' }), 204)
      await row(page, id).waitFor()
      const shown = await row(page, id).locator('bdi').allTextContents()
      // The label is cut to what fits a list.
      const start = shown[0] === '(no name)' ? '' : shown[0]
      assert.ok(label.startsWith(start) && (start || name === 'nothing to see'), start)
      assert.equal(shown[1], email(label))
      assert.equal(await row(page, id).getByText('not verified', { exact: true }).count(), 1)
      const names = await row(page, id).getByRole('button').evaluateAll((buttons) => buttons.map((button) => button.getAttribute('aria-label')))
      for (const name of names) assert.doesNotMatch(name, /[\p{Cc}\u202A-\u202E\u2066-\u2069]/u)
    })
  }

  test('is not touched by any of it', async () => {
    assert.equal(await page.locator('img, svg, script:not([src])').count(), 0)
    await sound(page, 'administration with hostile labels')
    // Nor are its neighbors: each keeps its place, from left to right.
    const ids = await list(page, 'Peers').getByRole('listitem').evaluateAll((rows) => rows.map((row) => [row.querySelector('b').getBoundingClientRect().left, row.querySelector('.tag').getBoundingClientRect().left >= row.querySelector('b').getBoundingClientRect().left]))
    for (const [left, after] of ids) assert.deepEqual([left, after], [ids[0][0], true])
    assert.deepEqual(odd, [])
    await runsNothing(page, headers)
  })

  test('asks about a stranger in plain text', async () => {
    const asked = new Promise((done) => page.once('dialog', (dialog) => {
      done(dialog.message())
      return dialog.dismiss()
    }))
    await row(page, peerId('turned around')).getByRole('button', { name: /^Block/ }).click()
    assert.equal(await asked, 'Block verified gpj.exe? They won’t be shown here again until you unblock them.')
  })

  test('signs out', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Password').waitFor()
    assert.deepEqual(await context.cookies(), [])
  })

  test('sees when the server stops', async () => {
    const { page } = await administration(browser, server)
    await server.stop()
    await page.getByRole('alert').filter({ hasText: 'The rendezvous doesn’t answer.' }).waitFor()
  })

  test('sees when the administration is off', async () => {
    const { page, status, odd } = await open(browser, `${closed.url}/admin`)
    assert.equal(status, 403)
    await page.getByText('Administration is turned off on this rendezvous.').waitFor()
    await sound(page, 'administration that is off')
    assert.deepEqual(odd, [])
  })
})
