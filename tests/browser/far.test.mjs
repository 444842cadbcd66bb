// A site far away: everything between two peers goes over a line of 100 ms there and back. What is promised is counted in round
// trips, as the line takes them in the same run.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect, createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { DatagramLine, Line } from '../support/line.mjs'
import { promised, promisedLeast } from '../support/promise.mjs'
import { launch, profile } from './lib/browser.mjs'
import { Peer, removeAll } from './lib/peer.mjs'

const ms = 100
/** A good line of a household, in bytes a second. */
const rate = 100e6 / 8
const large = randomBytes(8_000_000)
/** Files of 4 kB, of which nothing is saved by compression. */
const files = { css: 10, js: 10, svg: 40 }
const noise = () => randomBytes(1950).toString('hex')
const sources = {
  css: (n) => `.style-${n} { --loaded: 1 } /* ${noise()} */`,
  js: (n) => `window.ran = (window.ran ?? 0) + 1 // ${n} ${noise()}`,
  svg: (n) => `<svg xmlns="http://www.w3.org/2000/svg" width="${n + 10}" height="10"><!-- ${noise()} --></svg>`,
}
const elements = {
  css: (name) => `<link rel="stylesheet" href="${name}">`,
  js: (name) => `<script src="${name}"></script>`,
  svg: (name) => `<img src="${name}" alt="">`,
}
const names = Object.entries(files).flatMap(([kind, count]) => Array.from({ length: count }, (_, n) => [kind, `${n}.${kind}`, n]))
const html = (body) => `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>Far</title>${body}`
const site = {
  'index.html': html('<p>A small page'),
  'large.bin': large,
  'page/index.html': html(names.map(([kind, name]) => elements[kind](name)).join('\n')),
  ...Object.fromEntries(names.map(([kind, name, n]) => [`page/${name}`, sources[kind](n)])),
}

/** Answers each byte with what it asks for: itself, or the large file. */
class Plain {
  static async start() {
    const plain = new Plain()
    plain.server = createServer({ noDelay: true }, (socket) => socket.on('error', () => {}).on('data', (asked) => socket.write(asked[0] ? large : asked)))
    plain.server.listen(0, '127.0.0.1')
    await once(plain.server, 'listening')
    plain.line = await line(plain.server.address().port)
    plain.wide = await line(plain.server.address().port, Line, Infinity)
    return plain
  }

  async ask(byte, length, times, { port } = this.line) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const all = []
    for (let turn = 0; turn < times; turn++) {
      const began = performance.now()
      socket.write(Buffer.of(byte))
      for (let received = 0; received < length; ) received += (await once(socket, 'data'))[0].length
      all.push(performance.now() - began)
    }
    socket.destroy()
    return median(all)
  }

  roundTrip() {
    return this.ask(0, 1, 7)
  }

  large(line) {
    return this.ask(1, large.length, 3, line)
  }
}

let browser, owner, plain, roundTrip
const lines = []
before(async () => {
  ;[browser, owner, plain] = await Promise.all([launch(), Peer.start('Owner', { site, config: { site: { reload: false } }, env: { RUST_LOG: 'goop2_peer=debug' } }), Plain.start()])
  roundTrip = await plain.roundTrip()
})
after(async () => {
  await browser?.close()
  await removeAll(owner)
  plain?.server.close()
  await Promise.all(lines.map((line) => line.stop()))
})

const median = (figures) => figures.toSorted((a, b) => a - b)[figures.length >> 1]

async function line(port, kind = Line, width = rate) {
  const made = await kind.to(port, { ms, rate: width })
  lines.push(made)
  return made
}

const carriers = {
  quic: { kind: DatagramLine, address: (port) => `/ip4/127.0.0.1/udp/${port}/quic-v1` },
  tcp: { kind: Line, address: (port) => `/ip4/127.0.0.1/tcp/${port}` },
}

/** A visitor that knows the owner's address at the other end of a line, and nothing else. */
async function visitor(name, carrier, width) {
  const { kind, address } = carriers[carrier]
  const peer = await Peer.start(name)
  // The same for both.
  const port = owner.listen.map((text) => /^\/ip4\/127\.0\.0\.1\/tcp\/(\d+)/.exec(text)?.[1]).find(Boolean)
  const { port: far } = await line(Number(port), kind, width)
  return { peer, know: () => peer.api('api/address', { address: `${address(far)}/p2p/${owner.id}` }), remove: () => removeAll(peer) }
}

/** As a browser opens a page of the site; gives when the first byte came and when the last one. */
async function open(url, agent) {
  const headers = { host: url.host, accept: 'text/html', 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
  const began = performance.now()
  const asked = request({ host: '127.0.0.1', port: url.port, path: url.pathname, headers, agent }).end()
  const [answer] = await once(asked, 'response')
  let first
  let length = 0
  for await (const chunk of answer) {
    first ??= performance.now() - began
    length += chunk.length
  }
  assert.equal(answer.statusCode, 200)
  return { first, whole: performance.now() - began, length }
}

/** What the owner was asked for and what it answered, in order. */
const answers = () => Array.from(owner.logged().matchAll(/request answered.* path="(.*?)" status=(\d+)/g), ([, path, status]) => `${path} ${status}`)

// QUIC is what a peer on another network is dialed with first.
for (const carrier of ['quic', 'tcp'])
  test(`a page of somebody who was not connected, over ${carrier}`, async () => {
    const firsts = []
    for (const name of ['First', 'Second', 'Third']) {
      const { peer, know, remove } = await visitor(name, carrier)
      const url = new URL(await peer.site(owner))
      const began = performance.now()
      await know()
      const known = performance.now() - began
      const { first } = await open(url)
      firsts.push(known + first)
      await remove()
    }
    promised(`the first byte of a page, not connected before, over ${carrier}`, median(firsts) / roundTrip, 4, 'round trips')
  })

// On a line that holds all at once, every round trip of ours counts.
test('a large file over a line of any width', async () => {
  const { peer, know, remove } = await visitor('Wide', 'tcp', Infinity)
  await know()
  const site = await peer.site(owner)
  const agent = new Agent({ keepAlive: true })
  await open(new URL(site), agent)
  const whole = []
  for (let turn = 0; turn < 5; turn++) {
    const answer = await open(new URL(`${site}large.bin`), agent)
    assert.equal(answer.length, large.length)
    whole.push(answer.whole)
  }
  agent.destroy()
  await remove()
  const theirs = await plain.large(plain.wide)
  console.log(`8 MB over a line of any width: ${median(whole).toFixed(0)} ms, plain TCP ${theirs.toFixed(0)} ms`)
  promisedLeast('8 MB over a line of any width, of what plain TCP gives', theirs / median(whole), 0.7)
})

describe('somebody who is connected', () => {
  let far, site, agent, page
  const at = (path) => new URL(site + path.slice(1))
  before(async () => {
    far = await visitor('Visitor', 'tcp')
    await far.know()
    await Promise.all([far.peer.sees(owner), owner.sees(far.peer)])
    site = await far.peer.site(owner)
    agent = new Agent({ keepAlive: true })
    await open(at('/'), agent)
  })
  after(async () => {
    agent?.destroy()
    await far?.remove()
  })

  test('answers at once', async () => {
    const firsts = []
    for (let turn = 0; turn < 7; turn++) firsts.push((await open(at('/'), agent)).first)
    promised('the first byte of a small page', median(firsts) / roundTrip, 1.2, 'round trips')
  })

  test('sends a large file as fast as the line', async () => {
    const whole = []
    for (let turn = 0; turn < 3; turn++) {
      const answer = await open(at('/large.bin'), agent)
      assert.equal(answer.length, large.length)
      whole.push(answer.whole)
    }
    promisedLeast('8 MB, of what plain TCP gives', (await plain.large()) / median(whole), 0.7)
  })

  test('shows a page of 60 files soon, and sends each once', async () => {
    const times = []
    for (let turn = 0; turn < 3; turn++) {
      await page?.context().close()
      page = await (await profile(browser)).newPage()
      const before = answers().length
      await page.goto(at('/page/').href)
      const { loaded, shown } = await page.evaluate(() => ({
        loaded: performance.getEntriesByType('navigation')[0].loadEventEnd,
        shown: [window.ran, document.styleSheets.length, [...document.images].filter((image) => image.naturalWidth).length],
      }))
      assert.deepEqual(shown, Object.values(files).map((_, at) => [files.js, files.css, files.svg][at]))
      assert.deepEqual(answers().slice(before).toSorted(), ['/page/', ...names.map(([, name]) => `/page/${name}`)].map((path) => `${path} 200`).toSorted())
      times.push(loaded)
    }
    promised('a page of 60 files of 4 kB in Chromium', median(times) / roundTrip, 6, 'round trips')
  })

  test('transfers no file again that has not changed', async () => {
    await owner.write('page/0.css', '.changed { --loaded: 1 }')
    const before = answers().length
    await page.reload()
    assert.equal(await page.evaluate(() => document.styleSheets[0].cssRules[0].selectorText), '.changed')
    const unchanged = names.slice(1).map(([, name]) => `/page/${name} 304`)
    assert.deepEqual(answers().slice(before).toSorted(), ['/page/ 304', '/page/0.css 200', ...unchanged].toSorted())
    await page.context().close()
  })
})
