import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { noise } from '@libp2p/noise'
import { tls } from '@libp2p/tls'
import { eventually, startOurs } from './ours.mjs'
import { startPeer } from './peer.mjs'

const html = 'text/html; charset=utf-8'
const picture = readFileSync(new URL('../../peers/neighbour/avatar.png', import.meta.url))
const large = randomBytes(3 << 20)
const tables = { notes: { policy: 'public', columns: [{ name: 'text', type: 'TEXT', not_null: true }] } }

let ours, js

before(async () => {
  ours = await startOurs({
    'site/index.html': '<h1>Ours</h1>',
    'site/large.bin': large,
    'site/lua/secret.lua': 'return 1',
    'tables.json': JSON.stringify(tables),
    'avatar.png': picture,
  })
  js = await startPeer({
    label: 'Written in JavaScript',
    avatar: picture,
    site: {
      '/index.html': { mime: html, bytes: Buffer.from('<h1>JS</h1>') },
      '/large.bin': { mime: 'application/octet-stream', bytes: large },
      '/cut.bin': { mime: 'application/octet-stream', bytes: large.subarray(0, 500_000), claims: large.length },
    },
  })
  await js.dial(ours.address)
})

after(async () => {
  await js?.stop()
  await ours?.stop()
})

describe('presence', () => {
  test('js hears ours, signed by the peer that it speaks of', async () => {
    const { from, type, content } = await eventually('our presence', () => js.heard.find(({ peerId }) => peerId === ours.id))
    assert.equal(from, ours.id)
    assert.match(type, /^(online|update)$/)
    assert.equal(content, 'Ours')
  })

  test('ours lists js', async () => {
    const { label } = await ours.event('js online', (event) => event.event === 'peer' && event.peer_id === js.id && event.state === 'online')
    assert.equal(label, 'Written in JavaScript')
  })
})

describe('js visits ours', () => {
  test('label', async () => assert.equal(await js.content(ours.id), 'Ours\n'))

  test('page', async () => {
    const { mime, bytes } = await js.site(ours.id, '/')
    assert.equal(mime, html)
    assert.equal(bytes.toString(), '<h1>Ours</h1>')
  })

  test('large file, whole', async () => {
    const { length, bytes } = await js.site(ours.id, '/large.bin')
    assert.equal(length, large.length)
    assert.ok(bytes.equals(large))
  })

  test('what is not there, and what is nobody\'s business', async () => {
    assert.deepEqual(await js.site(ours.id, '/none.html'), { error: 'not found' })
    assert.deepEqual(await js.site(ours.id, '/lua/secret.lua'), { error: 'forbidden' })
    assert.deepEqual(await js.site(ours.id, '../goop.json'), { error: 'forbidden' })
  })

  test('avatar', async () => {
    const reply = await js.avatar(ours.id)
    assert.ok(reply.equals(Buffer.concat([Buffer.from(`OK ${picture.length}\n`), picture])))
  })

  test('rows in and out, owned by the caller', async () => {
    assert.deepEqual(await js.data(ours.id, { op: 'query', table: 'notes' }), { ok: true, data: null })
    const inserted = await js.data(ours.id, { op: 'insert', table: 'notes', data: { text: 'from js' } })
    assert.deepEqual(inserted, { ok: true, data: { id: 1, status: 'inserted' } })
    const { data: [row] } = await js.data(ours.id, { op: 'query', table: 'notes', where: 'text = ?', args: ['from js'] })
    assert.equal(row.text, 'from js')
    assert.equal(row._owner, js.id)
  })

  test('no schema from afar', async () => {
    assert.deepEqual(await js.data(ours.id, { op: 'delete-table', table: 'notes' }),
      { ok: false, error: 'schema operations not allowed for remote peers' })
  })
})

describe('ours visits js', () => {
  test('page, at the address that people know', async () => {
    const { status, headers, body } = await ours.get(`/p/${js.id}/`)
    assert.equal(status, 200)
    assert.equal(headers['content-type'], html)
    assert.match(headers['content-security-policy'], /sandbox/)
    assert.equal(body.toString(), '<h1>JS</h1>')
  })

  test('large file in the origin of the site, whole', async () => {
    const { status, body } = await ours.get(`/p/${js.id}/large.bin`, { host: js.siteHost })
    assert.equal(status, 200)
    assert.ok(body.equals(large))
  })

  test('a transfer cut short is an error, never a short file', async () => {
    await assert.rejects(ours.get(`/p/${js.id}/cut.bin`, { host: js.siteHost }))
  })

  test('what is not there', async () => {
    const { status } = await ours.get(`/p/${js.id}/none.html`, { host: js.siteHost })
    assert.equal(status, 404)
  })

  test('rows in and out, owned by us', async () => {
    const post = async (operation, body) => {
      const headers = { 'content-type': 'application/json' }
      const path = `/api/p/${js.id}/data/${operation}`
      const answer = await ours.get(path, { host: js.siteHost, method: 'POST', headers, body: JSON.stringify(body) })
      assert.equal(answer.status, 200, answer.body.toString())
      return JSON.parse(answer.body)
    }
    assert.deepEqual(await post('insert', { table: 'notes', data: { text: 'from ours' } }), { id: 1, status: 'inserted' })
    assert.deepEqual(await post('query', { table: 'notes' }), [{ _id: 1, _owner: ours.id, text: 'from ours' }])
  })

  test('avatar', async () => {
    const { status, body } = await ours.get(`/api/avatar/peer/${js.id}`, { headers: { authorization: ours.authorization } })
    assert.equal(status, 200)
    assert.ok(body.equals(picture))
  })
})

for (const [name, security] of Object.entries({ noise: noise(), tls: tls() })) {
  test(`${name} alone is enough`, async () => {
    const peer = await startPeer({ security: [security] })
    try {
      await peer.dial(ours.address)
      assert.equal(await peer.content(ours.id), 'Ours\n')
    } finally {
      await peer.stop()
    }
  })
}

describe('leaving', () => {
  test('ours notices when js says so', async () => {
    await js.leave()
    await ours.event('js offline', (event) => event.event === 'peer' && event.peer_id === js.id && event.state === 'offline')
  })

  test('js hears that ours leaves', async () => {
    const { id } = ours
    assert.equal(await ours.stop(), 0)
    ours = undefined
    await eventually('our farewell', () => js.heard.find(({ type, from }) => type === 'offline' && from === id))
  })
})
