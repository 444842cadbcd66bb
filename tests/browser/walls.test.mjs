// A visited site is a stranger's program in its own origin. From there it cannot access anything of the visitor or of another
// site. Each wall is tested alone: what the page's policy forbids is tried again from a page without a policy.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { forbidden } from './lib/attack.mjs'
import { launch, profile, Window } from './lib/browser.mjs'
import { Canary } from './lib/canary.mjs'
import { guestbook, Peer, removeAll } from './lib/peer.mjs'
import { requests } from './lib/requests.mjs'

const page = (title, text) => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>${title}</title><h1>${title}</h1>${text}`
const secret = 'return "a secret script"'

let browser, context, elsewhere, visitor, host, other, window
const documents = {}

before(async () => {
  const site = { 'sw.js': 'onfetch = () => {}', 'lua/secret.lua': secret, 'lua/functions/secret.lua': secret }
  ;[browser, elsewhere, visitor, host, other] = await Promise.all([
    launch(),
    Canary.start(),
    Peer.start('Visitor', { tables: { diary: { policy: 'owner', columns: [{ name: 'text', type: 'TEXT' }] } }, site: { ...site, 'index.html': page('Visitor', '') } }),
    Peer.start('Harm', { tables: guestbook, site: { ...site, 'index.html': page('Harm', '') } }),
    Peer.start('Other', { tables: guestbook, site: { 'index.html': page('Other', '<p>for your eyes only</p>') } }),
  ])
  await visitor.join(host)
  await visitor.join(other)
  await visitor.api('api/data/insert', { table: 'diary', data: { text: 'dear diary' } })
  context = await profile(browser)
  window = await Window.open(context, visitor)
  documents['in the window'] = await window.visit(visitor, host)
  documents['in a tab'] = await tab(host)
})

after(async () => {
  await browser?.close()
  await Promise.all([elsewhere?.stop(), removeAll(visitor, host, other)])
})

async function tab(peer) {
  const page = await context.newPage()
  await page.goto(await visitor.site(peer))
  return page
}

/** What a request of the document's own origin is answered. */
const ask = (document, path, body) =>
  document.evaluate(
    async ([path, body]) => {
      const url = path.startsWith('/') ? location.origin + path : path
      const response = await fetch(url, body === undefined ? {} : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) })
      return { status: response.status, text: await response.text() }
    },
    [path, body],
  )

/** The API that only the user has, with bodies that would do something. */
const userApi = () => ({
  '': undefined,
  'api/session': undefined,
  'api/snapshot': undefined,
  'api/events': undefined,
  'api/peers/events': undefined,
  'api/place': { text: other.id },
  'api/address': { address: `/ip4/127.0.0.1/tcp/${elsewhere.port}/p2p/${other.id}` },
  'api/data/tables': undefined,
  'api/data/query': { table: 'diary' },
  'api/data/insert': { table: 'diary', data: { text: 'harm' } },
  'api/data/tables/delete': { table: 'diary' },
  'api/data/tables/set-policy': { table: 'diary', policy: 'open' },
})

const untouched = async () => {
  assert.deepEqual((await visitor.rows('diary')).map((row) => row.text), ['dear diary'])
  assert.equal(elsewhere.heard, 0)
}

for (const place of ['in the window', 'in a tab']) {
  describe(`a page ${place}`, () => {
    let document
    before(() => (document = documents[place]))

    for (const how of ['fetch', 'fetch without CORS', 'XMLHttpRequest', 'beacon', 'EventSource', 'WebSocket', 'script', 'image', 'frame', 'form']) {
      test(`may not use the user's API by ${how}`, async () => {
        const [directive, way] = requests[how]
        for (const path of ['', 'api/session', 'api/address', 'api/data/insert']) await forbidden(document, way, directive, visitor.url + path)
        for (const name of ['localhost', '[::1]']) await forbidden(document, way, directive, `http://${name}:${visitor.port}/api/snapshot`)
        await untouched()
      })
    }

    test('has none of the user’s API on its own origin', async () => {
      for (const [path, body] of Object.entries(userApi())) {
        if (path === '') continue
        const { status } = await ask(document, `/${path}`, body)
        assert.ok(status >= 400, `/${path}: ${status}`)
      }
      await untouched()
    })

    test('learns no token and no cookie', async () => {
      const known = await document.evaluate(() => {
        const entries = performance.getEntries().map((entry) => entry.name)
        return [globalThis.document.cookie, globalThis.document.referrer, location.href, window.name, ...(location.ancestorOrigins ?? []), ...entries].join('\n')
      })
      const { token } = visitor
      assert.equal(token.length, 64)
      assert.ok(!known.includes(token) && !known.includes('token'), known)
    })

    test('leaves no cookie anywhere else', async () => {
      await document.evaluate(() => {
        for (const domain of ['', '; domain=localhost', '; domain=.localhost', '; domain=127.0.0.1'])
          for (const path of ['/', '/api']) globalThis.document.cookie = `goop2=planted${domain}; path=${path}`
      })
      const planted = async (...urls) => (await context.cookies(urls)).filter(({ value }) => value === 'planted')
      assert.deepEqual(await planted(visitor.url, `http://localhost:${visitor.port}/api/`, visitor.origin, await visitor.site(other)), [])
    })

    test('does not read another site', async () => {
      const url = await visitor.site(other)
      for (const how of ['fetch', 'fetch without CORS', 'XMLHttpRequest', 'script', 'image', 'frame', 'form', 'EventSource']) {
        const [directive, way] = requests[how]
        await forbidden(document, way, directive, url)
      }
      for (const path of [`/p/${other.id}/`, `/p/${other.id}/index.html`, `/p/${host.id}/../${other.id}/`, `//p/${other.id}/`]) {
        const { status, text } = await ask(document, path)
        assert.equal(status, 403, path)
        assert.doesNotMatch(text, /for your eyes/)
      }
    })

    test('uses its own owner’s database', async () => {
      const { status, text } = await ask(document, `/api/p/${host.id}/data/query`, { table: 'guestbook' })
      assert.equal(status, 200, text)
    })

    for (const whose of ['the visitor’s', 'another site’s']) {
      test(`does not use ${whose} database`, async () => {
        const peer = whose === 'the visitor’s' ? visitor : other
        const bodies = { query: { table: 'diary' }, insert: { table: 'diary', data: { text: 'harm' } }, 'tables': '', 'tables/delete': { table: 'diary' } }
        for (const [suffix, body] of Object.entries(bodies)) {
          for (const path of [
            `/api/p/${peer.id}/data/${suffix}`,
            `/api/p/${peer.id.toLowerCase()}/data/${suffix}`,
            `/api/p/${host.id}/../${peer.id}/data/${suffix}`,
            `/api/p/${host.id}/%2e%2e/${peer.id}/data/${suffix}`,
            `/api/p/${host.id}%2f..%2f${peer.id}/data/${suffix}`,
            `//api/p/${peer.id}/data/${suffix}`,
            `/p/${host.id}/../../api/data/${suffix}`,
            `/api/data/${suffix}?peer=${peer.id}`,
            `/API/data/${suffix}`,
          ]) {
            const { status, text } = await ask(document, path, body)
            assert.ok(status >= 400, `${path}: ${status} ${text}`)
            assert.doesNotMatch(text, /dear diary/)
          }
        }
        await untouched()
      })
    }

    test('writes in the visitor’s name only, whatever it claims', async () => {
      const data = { message: place, _owner: other.id, _owner_email: 'x@example.org' }
      const { status, text } = await ask(document, `/api/p/${host.id}/data/insert`, { table: 'guestbook', data, peer: other.id, caller: other.id, from: other.id })
      assert.equal(status, 200, text)
      const rows = (await host.rows('guestbook')).filter((row) => row.message === place)
      assert.deepEqual(rows.map((row) => row._owner), [visitor.id])
    })

    test('sees only its owner and the visitor', async () => {
      const { text } = await ask(document, '/api/peers')
      assert.deepEqual(JSON.parse(text).map((peer) => peer.ID).sort(), [host.id, visitor.id].sort())
      assert.equal((await ask(document, `/api/avatar/peer/${other.id}`)).status >= 400, true)
    })

    test('does not read scripts that run on its owner’s computer', async () => {
      for (const path of ['lua/secret.lua', 'LUA/secret.lua', 'Lua/functions/secret.lua', '%6cua/secret.lua', './lua/secret.lua', 'x/../lua/secret.lua', 'lua%2fsecret.lua', '/lua/secret.lua']) {
        for (const base of [`/p/${host.id}/`, '/']) {
          const { status, text } = await ask(document, base + path)
          assert.ok(status >= 400, `${base}${path}: ${status}`)
          assert.doesNotMatch(text, /a secret script/)
        }
      }
    })

    test('installs no service worker', async () => {
      assert.equal((await ask(document, 'sw.js')).status, 200)
      for (const path of ['sw.js', '/sw.js', '/assets/js/goop-data.js']) {
        const outcome = await document.evaluate((path) => navigator.serviceWorker?.register(path).then(() => 'installed', (error) => error.name), path)
        assert.notEqual(outcome, 'installed', path)
      }
      assert.deepEqual(context.serviceWorkers(), [])
    })

    test('gets no device', async () => {
      await context.grantPermissions(['geolocation', 'camera', 'microphone', 'clipboard-read', 'notifications'])
      const outcomes = await document.evaluate(async () => {
        const asked = {
          position: () => new Promise((resolve, reject) => navigator.geolocation.getCurrentPosition(resolve, reject)),
          camera: () => navigator.mediaDevices.getUserMedia({ video: true }),
          microphone: () => navigator.mediaDevices.getUserMedia({ audio: true }),
          screen: () => navigator.mediaDevices.getDisplayMedia({ video: true }),
          clipboard: () => navigator.clipboard.readText(),
        }
        const outcomes = {}
        for (const [name, ask] of Object.entries(asked)) outcomes[name] = await ask().then(() => 'lent', (error) => error.name ?? error.constructor.name)
        return outcomes
      })
      const refused = 'NotAllowedError'
      assert.deepEqual(outcomes, { position: 'GeolocationPositionError', camera: refused, microphone: refused, screen: refused, clipboard: refused })
    })
  })
}

describe('the visitor’s own site', () => {
  test('does not serve its scripts either', async () => {
    const own = await tab(visitor)
    for (const path of ['lua/secret.lua', 'LUA/secret.lua', '/lua/secret.lua']) {
      const { status, text } = await ask(own, path)
      assert.ok(status >= 400, `${path}: ${status}`)
      assert.doesNotMatch(text, /a secret script/)
    }
  })

  test('may use its own tables: it is the user’s program', async () => {
    const { status, text } = await ask(await tab(visitor), `/api/p/${visitor.id}/data/query`, { table: 'diary' })
    assert.equal(status, 200)
    assert.match(text, /dear diary/)
  })
})

describe('two sites', () => {
  test('share no storage', async () => {
    const [harm, theirs] = [await tab(host), await tab(other)]
    await theirs.evaluate(async () => {
      localStorage.setItem('secret', 'o')
      sessionStorage.setItem('secret', 'o')
      document.cookie = 'secret=o'
      await (await caches.open('secret')).put('/secret', new Response('o'))
      await new Promise((resolve, reject) => Object.assign(indexedDB.open('secret'), { onsuccess: resolve, onerror: reject }))
    })
    assert.deepEqual(await contents(theirs), { local: 'o', session: 'o', cookie: true, caches: ['secret'], databases: ['secret'] })
    assert.deepEqual(await contents(harm), { local: null, session: null, cookie: false, caches: [], databases: [] })
  })

  const contents = (page) =>
    page.evaluate(async () => ({
      local: localStorage.getItem('secret'),
      session: sessionStorage.getItem('secret'),
      cookie: document.cookie.includes('secret'),
      caches: await caches.keys(),
      databases: (await indexedDB.databases()).map(({ name }) => name),
    }))

  test('hold no handle to each other’s windows', async () => {
    const harm = await tab(host)
    for (const url of [await visitor.site(other), visitor.url]) {
      const opened = context.waitForEvent('page')
      await harm.evaluate((url) => void (globalThis.opened = open(url)), url)
      const popup = await opened
      await popup.waitForURL(url)
      // The window may be there before its opener has lost it; until then nothing in it can be read.
      const got = await harm.waitForFunction(() => {
        try {
          return globalThis.opened.closed ? 'no handle' : String(globalThis.opened.document.body.innerText)
        } catch (error) {
          return error.name === 'SecurityError' ? null : error.name
        }
      })
      assert.equal(await got.jsonValue(), 'no handle')
      assert.equal(await popup.evaluate(() => opener), null)
      await popup.close()
    }
  })
})

// Browsers count every port of 127.0.0.1 as the same site: what the user's window left in a cookie would go along with these
// requests.
describe('a page without any policy, on another port of this computer', () => {
  let page
  before(async () => {
    page = await context.newPage()
    await page.goto(elsewhere.url)
  })

  test('is sent nothing that signs the user in, and neither is any other port', async () => {
    const third = await Canary.start()
    const link = await context.newPage()
    await link.goto(third.url)
    await page.evaluate((url) => fetch(url, { credentials: 'include' }), third.url)
    assert.deepEqual([...new Set([...elsewhere.cookies, ...third.cookies])], [''])
    assert.deepEqual(await context.cookies(visitor.url), [])
    await link.close()
    await third.stop()
    elsewhere.heard = 0
  })

  for (const how of ['fetch', 'fetch without CORS', 'XMLHttpRequest', 'beacon', 'EventSource', 'script', 'image', 'form']) {
    test(`is refused the user's API by ${how}`, async () => {
      for (const path of Object.keys(userApi()).filter(Boolean)) {
        const url = `${visitor.url}${path}`
        const ended = ['requestfinished', 'requestfailed'].map((event) => page.waitForEvent(event, { predicate: (request) => request.url() === url }))
        for (const promise of ended) promise.catch(() => {})
        await page.evaluate(requests[how][1], url)
        const request = await Promise.race(ended)
        // Where the browser itself has already refused, it does not say with which status.
        assert.ok([403, undefined].includes((await request.response())?.status()), path)
      }
      await untouched()
    })
  }

  test('changes nothing by sending the user’s writes', async () => {
    for (const [path, body] of Object.entries(userApi())) {
      if (!body) continue
      await page.evaluate(([url, body]) => fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body }), [visitor.url + path, JSON.stringify(body)])
    }
    await untouched()
  })

  test('frames neither the window nor a site', async () => {
    for (const url of [visitor.url, await visitor.site(host), `${visitor.url}p/${host.id}/`]) {
      const refused = page.waitForEvent('console', { predicate: (message) => /frame-ancestors/.test(message.text()) })
      await page.evaluate((url) => document.body.replaceChildren(Object.assign(document.createElement('iframe'), { src: url })), url)
      await refused
    }
  })

  test('reads no site, through its own origin or the address people know', async () => {
    for (const url of [await visitor.site(host), `${visitor.url}p/${host.id}/`]) {
      assert.equal(await page.evaluate((url) => fetch(url).then(() => 'read', (error) => error.name), url), 'TypeError')
    }
  })
})
