// Sites are HTTP over libp2p: another implementation of that reads ours, and ours visits what it serves, harmless or not.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { http } from '@libp2p/http'
import { fetch } from '@libp2p/http-fetch'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { base36 } from 'multiformats/bases/base36'
import { startOurs } from './ours.mjs'

const protocol = '/http/1.1'
const html = 'text/html; charset=utf-8'
const large = randomBytes(3 << 20)

/** A node that speaks no protocol of Goop2. */
async function startNode(services = {}) {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping(), ...services },
    connectionGater: { denyDialMultiaddr: () => false }, // by default js refuses loopback
  })
  const id = node.peerId.toString()
  const siteHost = `${node.peerId.toCID().toString(base36.encoder)}.localhost`
  return { node, id, siteHost }
}

const text = (data) => Buffer.from(data.subarray()).toString('latin1')

let ours, js, raw

before(async () => {
  ours = await startOurs({
    'site/index.html': '<h1>Ours</h1>',
    'site/a b.txt': '0123456789',
    'site/large.bin': large,
  })
  ;[js, raw] = await Promise.all([startNode({ http: http() }), startNode()])
  serve(js.node.services.http)
  await raw.node.handle(protocol, answerRaw)
  await Promise.all([js, raw].map(({ node }) => node.dial(multiaddr(ours.address))))
})

after(async () => {
  await js?.node.stop()
  await raw?.node.stop()
  await ours?.stop()
})

describe('js reads ours', () => {
  const ask = async (path, headers = {}) => {
    const stream = await js.node.getConnections()[0].newStream(protocol)
    const response = await fetch(stream, `http://${ours.id.toLowerCase()}${path}`, { headers })
    return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) }
  }

  test('what is served, and where', async () => {
    const served = await js.node.services.http.getSupportedProtocols(multiaddr(ours.address))
    assert.deepEqual(served, { '/goop/site/2.0.0': { path: '/' } })
  })

  test('by the address of the peer alone', async () => {
    const response = await js.node.services.http.fetch(multiaddr(ours.address))
    assert.equal(response.status, 200)
    assert.equal(await response.text(), '<h1>Ours</h1>')
  })

  test('a page', async () => {
    const { status, headers, body } = await ask('/')
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), html)
    assert.match(headers.get('etag'), /^".+"$/)
    assert.equal(body.toString(), '<h1>Ours</h1>')
  })

  test('a page it has already', async () => {
    const { headers } = await ask('/')
    assert.equal((await ask('/', { 'if-none-match': headers.get('etag') })).status, 304)
  })

  test('a part of a file', async () => {
    const { status, headers, body } = await ask('/a%20b.txt', { range: 'bytes=2-5' })
    assert.equal(status, 206)
    assert.equal(headers.get('content-range'), 'bytes 2-5/10')
    assert.equal(body.toString(), '2345')
  })

  test('a part that is not there', async () => {
    const { status, headers } = await ask('/a%20b.txt', { range: 'bytes=10-' })
    assert.equal(status, 416)
    assert.equal(headers.get('content-range'), 'bytes */10')
  })

  test('a large file, whole', async () => {
    const { status, headers, body } = await ask('/large.bin')
    assert.equal(status, 200)
    assert.equal(headers.get('content-length'), String(large.length))
    assert.ok(body.equals(large))
  })

  test('what is not there, and what is nobody’s business', async () => {
    assert.equal((await ask('/none.html')).status, 404)
    for (const path of ['/.goop2.lock', '/%2e%2e/goop.json', '/lua/x.lua']) assert.ok([400, 403, 404].includes((await ask(path)).status), path)
  })
})

/** A site on js-libp2p's own router, which matches paths exactly. */
function serve(router) {
  const page = (path, handler) => router.handle(path, { path, method: ['GET', 'HEAD'], cors: false, handler })
  page('/', async () => new Response('<h1>JS</h1>', { headers: { 'content-type': html, 'content-length': '11' } }))
  page('/asked', async (request) => Response.json({ url: request.url.replace(/^http:\/\/[^/]*/, ''), headers: Object.fromEntries(request.headers) }))
  page('/large.bin', async () => new Response(large, { headers: { 'content-type': 'application/octet-stream', 'content-length': String(large.length) } }))
  page('/moved', async () => new Response(null, { status: 302, headers: { location: '/asked?to=here' } }))
}

describe('ours visits a js node that serves HTTP only', () => {
  const get = (path, options) => ours.get(`/p/${js.id}${path}`, { host: js.siteHost, ...options })

  test('a page, at the address that people know', async () => {
    const { status, headers, body } = await ours.get(`/p/${js.id}/`)
    assert.equal(status, 200)
    assert.equal(headers['content-type'], html)
    assert.match(headers['content-security-policy'], /sandbox/)
    assert.equal(body.toString(), '<h1>JS</h1>')
  })

  test('a query reaches the owner, and nothing about the visitor', async () => {
    const headers = { cookie: 'a=b', 'user-agent': 'Browser/1', 'accept-language': 'de', referer: `http://${js.siteHost}/`, range: 'bytes=0-' }
    const asked = JSON.parse((await get('/asked?q=a%20b&x', { headers })).body)
    assert.equal(asked.url, '/asked?q=a%20b&x')
    assert.deepEqual(Object.keys(asked.headers).sort(), ['host', 'range'])
    assert.equal(asked.headers.host, js.id)
  })

  test('a large file, whole', async () => {
    const { status, headers, body } = await get('/large.bin')
    assert.equal(status, 200)
    assert.equal(headers['content-length'], String(large.length))
    assert.ok(body.equals(large))
  })

  test('the head of a large file', async () => {
    const { status, body } = await get('/large.bin', { method: 'HEAD' })
    assert.equal(status, 200)
    assert.equal(body.length, 0)
  })

  test('a redirect stays inside the site', async () => {
    const { status, headers } = await get('/moved')
    assert.equal(status, 302)
    assert.equal(headers.location, `/p/${js.id}/asked?to=here`)
  })

  test('what is not there', async () => assert.equal((await get('/none.html')).status, 404))
})

const ok = 'HTTP/1.1 200 OK\r\n'
const owner = `${ok}content-type: text/plain\r\n`

/** What an owner who means harm says, byte for byte. */
const said = {
  '/harmless': `${owner}content-length: 2\r\n\r\nhi`,
  '/two-lengths': `${owner}content-length: 2\r\ncontent-length: 4\r\n\r\nhi!!`,
  '/length-list': `${owner}content-length: 2, 4\r\n\r\nhi!!`,
  '/signed-length': `${owner}content-length: +2\r\n\r\nhi`,
  '/huge-length': `${owner}content-length: 99999999999999999999999\r\n\r\nhi`,
  '/both-framings': `${owner}transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n4\r\nhi!!\r\n0\r\n\r\n`,
  '/bad-chunk': `${owner}transfer-encoding: chunked\r\n\r\n-1\r\nhi`,
  '/odd-coding': `${owner}transfer-encoding: gzip, identity\r\n\r\nhi`,
  '/bare-cr': `${ok}content-type: text/plain\rset-cookie: a=b\r\ncontent-length: 2\r\n\r\nhi`,
  '/nul': `${ok}content-type: text/pl\0ain\r\ncontent-length: 2\r\n\r\nhi`,
  '/fold': `${owner}x-long: a\r\n set-cookie: a=b\r\ncontent-length: 2\r\n\r\nhi`,
  '/space-before-colon': `${owner}content-length : 2\r\n\r\nhi`,
  '/bare-lf': `${owner}x-odd: a\nset-cookie: a=b\r\ncontent-length: 2\r\n\r\nhi`,
  '/huge-head': `${owner}x-padding: ${'a'.repeat(1 << 20)}\r\ncontent-length: 2\r\n\r\nhi`,
  '/many-headers': `${owner}${'x: y\r\n'.repeat(1000)}content-length: 2\r\n\r\nhi`,
  '/no-http': `OK text/plain 2\nhi`,
  '/part-unasked': `HTTP/1.1 206 Partial Content\r\ncontent-type: text/plain\r\ncontent-range: bytes 0-1/10\r\ncontent-length: 2\r\n\r\nhi`,
  '/part-other': `HTTP/1.1 206 Partial Content\r\ncontent-type: text/plain\r\ncontent-range: bytes 5-6/10\r\ncontent-length: 2\r\n\r\nhi`,
  '/part-shorter': `HTTP/1.1 206 Partial Content\r\ncontent-type: text/plain\r\ncontent-range: bytes 0-0/10\r\ncontent-length: 1\r\n\r\nh`,
  '/part-of-parts': `HTTP/1.1 206 Partial Content\r\ncontent-type: multipart/byteranges; boundary=a\r\ncontent-length: 7\r\n\r\n--a--\r\n`,
  '/short': `${owner}content-length: 4\r\n\r\nhi`,
  '/switched': `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n`,
  '/loosened': `${owner}content-length: 2\r\nset-cookie: a=b\r\ncontent-security-policy: default-src *\r\nx-frame-options: ALLOWALL\r\naccess-control-allow-origin: *\r\nclear-site-data: "*"\r\nservice-worker-allowed: /\r\nrefresh: 0; url=http://127.0.0.1/\r\nsourcemap: http://127.0.0.1/\r\nreport-to: {}\r\nstrict-transport-security: max-age=1\r\nx-content-type-options: none\r\nalt-svc: h2=":1"\r\nconnection: x-odd, content-type\r\n\r\nhi`,
  ...Object.fromEntries([
    'http://127.0.0.1/', '//127.0.0.1/', 'HTTP://localhost', 'javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'goop://x/',
    '/\\127.0.0.1/', '\\\\127.0.0.1', '/\t/127.0.0.1', ' http://127.0.0.1/', '', 'https:127.0.0.1', 'http:/127.0.0.1',
  ].map((to, at) => [`/to-${at}`, `HTTP/1.1 302 Found\r\nlocation: ${to}\r\ncontent-length: 0\r\n\r\n`])),
}

async function answerRaw(stream) {
  const head = await new Promise((resolve) => {
    let head = ''
    stream.addEventListener('message', ({ data }) => {
      head += text(data)
      if (head.includes('\r\n\r\n')) resolve(head)
    })
  })
  const [, path] = head.split(' ')
  stream.send(Buffer.from(said[path] ?? `HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n`, 'latin1'))
  await stream.close()
}

describe('ours visits a node that means harm', () => {
  const get = (path, options) => ours.get(`/p/${raw.id}${path}`, { host: raw.siteHost, ...options })
  const refused = [
    '/two-lengths', '/length-list', '/signed-length', '/huge-length', '/both-framings', '/odd-coding', '/bare-cr', '/nul', '/fold', '/space-before-colon',
    '/huge-head', '/many-headers', '/no-http', '/part-unasked', '/part-of-parts', '/switched',
  ]
  for (const path of refused) test(`${path} is refused`, async () => assert.equal((await get(path)).status, 502))

  for (const path of ['/part-other', '/part-shorter', '/part-of-parts']) {
    test(`${path} is refused where a part was asked for`, async () => {
      assert.equal((await get(path, { headers: { range: 'bytes=0-1' } })).status, 502)
    })
  }

  for (const path of ['/short', '/bad-chunk']) test(`${path} is an error, never a short file`, () => assert.rejects(get(path)))

  test('a line ended by LF alone brings nothing in', async () => {
    const { headers } = await get('/bare-lf')
    assert.equal(headers['set-cookie'], undefined)
  })

  test('nothing of an answer changes the rules of its origin', async () => {
    const { status, headers, body } = await get('/loosened')
    assert.equal(status, 200)
    assert.equal(body.toString(), 'hi')
    assert.equal(headers['x-content-type-options'], 'nosniff')
    const harmless = await get('/harmless')
    assert.deepEqual(Object.keys(headers), Object.keys(harmless.headers))
    assert.equal(headers['content-security-policy'], harmless.headers['content-security-policy'])
  })

  for (const path of Object.keys(said).filter((path) => path.startsWith('/to-'))) {
    test(`a redirect ${JSON.stringify(/location: (.*)\r\n/.exec(said[path])[1])} is refused`, async () => {
      const { status, headers } = await get(path)
      assert.equal(headers.location, undefined)
      assert.equal(status, 502)
    })
  }
})
