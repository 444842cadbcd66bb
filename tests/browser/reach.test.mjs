// A visited page reaches its own site and the public web over https. Nothing else on this computer or its network
// even notices it: neither a program on another port nor a device on a private address.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { forbidden } from './lib/attack.mjs'
import { launch, profile, Window } from './lib/browser.mjs'
import { Canary } from './lib/canary.mjs'
import { Peer, removeAll } from './lib/peer.mjs'
import { requests } from './lib/requests.mjs'

/** Given to the loopback interface by `isolated`, so that a request would arrive. */
const LAN = process.env.LAN

let browser, context, visitor, host, quiet, elsewhere, window
const documents = {}

before(async () => {
  ;[browser, quiet, elsewhere, visitor, host] = await Promise.all([
    launch(),
    Canary.start(),
    Canary.start(),
    Peer.start('Visitor'),
    Peer.start('Harm', { site: { 'index.html': '<!doctype html><title>Harm</title><h1>Harm</h1>' } }),
  ])
  await visitor.join(host)
  context = await profile(browser)
  window = await Window.open(context, visitor)
  documents['in the window'] = await window.visit(visitor, host)
  documents['in a tab'] = await context.newPage()
  await documents['in a tab'].goto(`${visitor.url}p/${host.id}/`)
})

after(async () => {
  await browser?.close()
  await Promise.all([quiet?.stop(), elsewhere?.stop(), removeAll(visitor, host)])
})

const targets = { 'another port': '127.0.0.1', 'another port by name': 'localhost', 'a private address': LAN }

describe('without a policy each request works, so that its failure means something', () => {
  let page
  before(async () => {
    page = await context.newPage()
    await page.goto(elsewhere.url)
  })
  for (const [name, [, way]] of Object.entries(requests)) {
    test(name, async () => {
      const canary = await Canary.start()
      const path = `/${encodeURIComponent(name)}`
      await page.evaluate(way, new URL(path, canary.at(LAN)).href)
      await canary.asked(path)
      await canary.stop()
    })
  }
})

for (const place of ['in the window', 'in a tab']) {
  for (const [target, name] of Object.entries(targets)) {
    describe(`a page ${place} does not reach ${target}`, () => {
      for (const [how, [directive, way]] of Object.entries(requests)) {
        test(`by ${how}`, async () => {
          await forbidden(documents[place], way, directive, quiet.at(name))
          assert.equal(quiet.heard, 0)
        })
      }
    })
  }

  // A policy cannot tell a private address from a public one; it can tell ports: https means the port of the public web.
  test(`a page ${place} does not reach another port over https`, async () => {
    const canary = await Canary.start()
    for (const how of ['fetch', 'WebSocket', 'image', 'script']) {
      const [directive, way] = requests[how]
      for (const name of ['127.0.0.1', LAN]) await forbidden(documents[place], way, directive, canary.at(name, 'https'))
    }
    assert.equal(canary.heard, 0)
    await canary.stop()
  })

  test(`a page ${place} is still allowed its own site`, async () => {
    assert.equal(await documents[place].evaluate(() => fetch('index.html').then((response) => response.status)), 200)
  })
}

test('nothing arrived later either', () => assert.equal(quiet.heard, 0))
