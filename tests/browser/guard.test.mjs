// Every request on the viewer's port says which site it is for and who sent it. Unless the user's own window or a site's own
// page sent it, it is refused before anything else in it is read.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { guestbook, Peer, removeAll } from './lib/peer.mjs'
import { raw } from './lib/raw.mjs'

let visitor, host, port, site, own

before(async () => {
  ;[visitor, host] = await Promise.all([
    Peer.start('Visitor', { tables: guestbook, site: { 'index.html': 'mine' } }),
    Peer.start('Host', { tables: guestbook, site: { 'index.html': 'theirs' } }),
  ])
  await visitor.join(host)
  port = visitor.port
  own = `127.0.0.1:${port}`
  site = new URL(await visitor.site(host)).host
})

after(() => removeAll(visitor, host))

/** With the user's token, whatever else is wrong. */
const send = async (line, headers, body) => {
  const answer = await raw(port, line, [['Authorization', `Bearer ${visitor.token}`], ...headers], body)
  const allowed = Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'))
  assert.deepEqual(allowed, [], 'no answer ever invites another origin')
  return answer
}

const json = ['Content-Type', 'application/json']
const place = () => JSON.stringify({ text: host.id })

describe('the host', () => {
  test('is this computer, by one of its names', async () => {
    for (const name of [own, `localhost:${port}`, `[::1]:${port}`]) {
      assert.equal((await send('GET /api/session', [['Host', name]])).status, 200, name)
    }
    assert.equal((await raw(port, 'GET /api/session', [['Host', `[::1]:${port}`], ['Authorization', `Bearer ${visitor.token}`]], '', '::1')).status, 200)
    assert.equal((await send(`GET /p/${host.id}/`, [['Host', site]])).text.trim(), 'theirs')
  })

  test('is not any other name, even if it resolves to this computer', async () => {
    const [label] = site.split('.')
    for (const name of [
      'evil.example',
      `evil.example:${port}`,
      `127.0.0.1.evil.example:${port}`,
      `localhost.evil.example:${port}`,
      `evil.example.localhost:${port}`,
      `x.localhost:${port}`,
      `.localhost:${port}`,
      '127.0.0.1',
      '127.0.0.1:80',
      `127.0.0.1:${port + 1}`,
      `127.0.0.2:${port}`,
      `127.1:${port}`,
      `2130706433:${port}`,
      `0x7f000001:${port}`,
      `0.0.0.0:${port}`,
      `[::]:${port}`,
      `[::ffff:127.0.0.1]:${port}`,
      `::1:${port}`,
      `192.168.77.1:${port}`,
      `127.0.0.1.:${port}`,
      `localhost.:${port}`,
      `LOCALHOST:${port}`,
      `localhost:${port}:${port}`,
      `localhost:+${port}`,
      `localhost:0${port} `,
      `user@localhost:${port}`,
      `localhost:${port}, localhost:${port}`,
      `${label}.localhost.:${port}`,
      `${label.toUpperCase()}.localhost:${port}`,
      `${label}.LOCALHOST:${port}`,
      `x.${label}.localhost:${port}`,
      `${label}.localhost`,
      `${label}.localhost:${port + 1}`,
      `${label}.localhost.evil.example:${port}`,
      `${label}:${port}`,
      `${label}0.localhost:${port}`,
      `${label.slice(0, -1)}.localhost:${port}`,
      `${host.id}.localhost:${port}`,
      '',
    ]) {
      for (const path of ['/api/session', `/p/${host.id}/`, '/']) {
        const { status } = await send(`GET ${path}`, [['Host', name]])
        assert.ok([400, 421].includes(status), `Host: ${name} ${path}: ${status}`)
      }
    }
  })

  test('is a single one', async () => {
    assert.equal((await send('GET /api/session', [])).status, 400)
    assert.equal((await send('GET /api/session', [['Host', own], ['Host', own]])).status, 400)
    assert.equal((await send('GET /api/session', [['Host', own], ['Host', 'evil.example']])).status, 400)
  })

  test('is not another in the request line', async () => {
    assert.equal((await send(`GET http://${own}/api/session`, [['Host', own]])).status, 200)
    for (const [line, name] of [
      ['GET http://evil.example/api/session', own],
      [`GET http://evil.example:${port}/api/session`, own],
      [`GET http://${own}/api/session`, 'evil.example'],
      [`GET http://${own}/api/session`, site],
      [`GET http://${site}/api/session`, own],
      [`GET http://evil@${own}/api/session`, own],
      [`CONNECT ${own}`, own],
    ]) {
      const { status } = await send(line, [['Host', name]])
      assert.ok(status >= 400, `${line} at ${name}: ${status}`)
    }
  })
})

describe('the sender', () => {
  const foreign = () => [
    'null',
    'https://evil.example',
    `https://${own}`,
    'http://127.0.0.1',
    `http://127.0.0.1:${port + 1}`,
    `http://localhost:${port}`,
    `http://[::1]:${port}`,
    `http://${own}/`,
    `http://${own}.evil.example`,
    `http://user@${own}`,
    `HTTP://${own}`,
    `http://${site}`,
    `http://x.localhost:${port}`,
    'tauri://localhost',
    'chrome-extension://abcdefghijklmnop',
    'file://',
    '',
  ]

  test('is the window itself, or no page at all', async () => {
    for (const headers of [[], [['Origin', `http://${own}`]], [['Sec-Fetch-Site', 'same-origin']], [['Origin', `http://${own}`], ['Sec-Fetch-Site', 'same-origin']]]) {
      const { status, text } = await send('POST /api/place', [['Host', own], json, ...headers], place())
      assert.equal(status, 200, text)
      assert.deepEqual(JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)), { peer: host.id, path: '/' })
    }
  })

  test('is not a page of another origin', async () => {
    for (const origin of foreign()) {
      for (const path of ['/api/place', '/api/address', '/api/data/insert', '/api/data/query', `/api/p/${visitor.id}/data/insert`]) {
        for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded']) {
          const { status } = await send(`POST ${path}`, [['Host', own], ['Content-Type', type], ['Origin', origin]], place())
          assert.equal(status, 403, `${origin} ${path} ${type}`)
        }
      }
    }
  })

  test('is not a page that hides its origin', async () => {
    for (const sent of ['cross-site', 'same-site', 'none-such', '']) {
      for (const mode of ['cors', 'no-cors', 'navigate', 'websocket']) {
        for (const line of ['POST /api/place', 'GET /api/session', 'GET /api/events', 'GET /api/snapshot']) {
          const { status } = await send(line, [['Host', own], json, ['Sec-Fetch-Site', sent], ['Sec-Fetch-Mode', mode]], line.startsWith('POST') ? place() : '')
          assert.equal(status, 403, `${line} ${sent} ${mode}`)
        }
      }
    }
  })

  test('on a site is that site only', async () => {
    const path = `/api/p/${host.id}/data/insert`
    const form = ['Content-Type', 'application/x-www-form-urlencoded']
    const row = 'table=guestbook&message=signed'
    for (const origin of ['null', `http://${own}`, `http://localhost:${port}`, 'https://evil.example', visitor.origin]) {
      assert.equal((await send(`POST ${path}`, [['Host', site], form, ['Origin', origin]], row)).status, 403, origin)
    }
    for (const sent of ['cross-site', 'same-site']) {
      assert.equal((await send(`POST ${path}`, [['Host', site], form, ['Sec-Fetch-Site', sent], ['Sec-Fetch-Mode', 'navigate']], row)).status, 403, sent)
    }
    assert.deepEqual(await host.rows('guestbook'), [])
    assert.equal((await send(`POST ${path}`, [['Host', site], form, ['Origin', `http://${site}`]], row)).status, 303)
    assert.deepEqual((await host.rows('guestbook')).map((row) => [row.message, row._owner]), [['signed', visitor.id]])
  })

  test('is not asked in advance', async () => {
    const ask = [['Origin', 'https://evil.example'], ['Access-Control-Request-Method', 'POST'], ['Access-Control-Request-Headers', 'content-type'], ['Access-Control-Request-Private-Network', 'true']]
    for (const name of [own, site]) assert.ok((await send('OPTIONS /api/place', [['Host', name], ...ask])).status >= 400)
  })

  test('may link to a site, and load nothing of it', async () => {
    const cross = (mode, dest) => [['Host', site], ['Sec-Fetch-Site', 'cross-site'], ['Sec-Fetch-Mode', mode], ['Sec-Fetch-Dest', dest]]
    assert.equal((await send(`GET /p/${host.id}/`, cross('navigate', 'document'))).status, 200)
    for (const [mode, dest] of [['no-cors', 'script'], ['no-cors', 'image'], ['cors', 'empty'], ['navigate', 'object'], ['navigate', 'embed']]) {
      assert.equal((await send(`GET /p/${host.id}/`, cross(mode, dest))).status, 403, `${mode} ${dest}`)
    }
  })
})

describe('the token', () => {
  const paths = () => ['session', 'snapshot', 'events', 'self', 'peers', 'peers/events', 'avatar', 'data/tables', `p/${visitor.id}/data/tables`, `p/${host.id}/data/tables`, 'no/such/thing']

  test('is needed for everything that is the user’s', async () => {
    const secret = visitor.token
    for (const path of paths()) {
      for (const headers of [
        [],
        ...['0'.repeat(secret.length), secret.slice(0, -1), `${secret}0`, `${secret.toUpperCase()}x`, host.token].map((wrong) => [['Authorization', `Bearer ${wrong}`]]),
        ...[`goop2-${port}`, 'token'].map((name) => [['Cookie', `${name}=${secret}`]]),
        [['Authorization', `Basic ${secret}`]],
        [['Authorization', 'Bearer ']],
      ]) {
        const { status } = await raw(port, `GET /api/${path}`, [['Host', own], ...headers])
        assert.equal(status, 401, `${path} ${headers}`)
      }
    }
    assert.equal((await raw(port, 'GET /api/session', [['Host', own], ['Authorization', `Bearer ${secret}`]])).status, 200)
  })

  test('in an address opens the window, and never becomes a cookie', async () => {
    const entry = (query) => raw(port, `GET /${query}`, [['Host', own], ['Accept', 'text/html']])
    const plain = await entry('')
    for (const [query, status] of [['', 200], ['?token=', 403], ['?token=x', 403], [`?token=${'0'.repeat(64)}`, 403], [`?token=${visitor.token}`, 200]]) {
      const answer = await entry(query)
      assert.deepEqual([answer.status, answer.headers['set-cookie']], [status, undefined], query)
      if (status === 200) assert.equal(answer.text, plain.text, 'it is the same window')
    }
  })

  test('opens nothing on a site', async () => {
    for (const path of ['session', 'snapshot', 'events', 'place', 'data/tables', `p/${visitor.id}/data/tables`]) {
      assert.ok((await send(`GET /api/${path}`, [['Host', site]])).status >= 400, path)
    }
    assert.equal((await send(`GET /?token=${visitor.token}`, [['Host', site]])).headers['set-cookie'], undefined)
  })
})

describe('the address that people know', () => {
  const path = () => `/p/${host.id}/index.html?a=b`

  test('redirects a browser to the site’s own origin', async () => {
    const { status, headers } = await raw(port, `GET ${path()}`, [['Host', own], ['Sec-Fetch-Site', 'none'], ['Sec-Fetch-Mode', 'navigate'], ['Accept', 'text/html']])
    assert.deepEqual([status, headers.location], [307, `http://${site}${path()}`])
  })

  test('gives any other program the file, which may run nothing', async () => {
    const { status, headers, text } = await raw(port, `GET ${path()}`, [['Host', own]])
    assert.deepEqual([status, headers['content-security-policy'], text], [200, 'sandbox', 'theirs'])
  })
})
