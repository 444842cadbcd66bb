// A peer written from PROTOCOL alone, on js-libp2p: what ours must get along with.
// It shares no line with ours, so a mistake made on both sides of ours shows here.

import { createHash } from 'node:crypto'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { base36 } from 'multiformats/bases/base36'
import { createLibp2p } from 'libp2p'

export const topic = 'goop.presence.v1'
const heartbeatMs = 1000
const maxLine = 1 << 20

/** `site`: path → { mime, bytes, claims? }; `avatar`: bytes; `security`: the encrypters to offer. */
export async function startPeer({ label = 'js', site = {}, avatar, security = [noise(), tls()] } = {}) {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: security,
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
    connectionGater: { denyDialMultiaddr: () => false }, // by default js refuses loopback
  })
  const rows = []
  await node.handle('/goop/content/1.0.0', (stream) => answer(stream, [`${label}\n`]))
  await node.handle('/goop/site/1.0.0', async (stream) => answer(stream, siteAnswer(site, await line(stream))))
  await node.handle('/goop/data/1.0.0', async (stream, { remotePeer }) => {
    const request = JSON.parse(await line(stream))
    await answer(stream, [`${JSON.stringify(dataAnswer(rows, request, remotePeer.toString()))}\n`])
  })
  await node.handle('/goop/avatar/1.0.0', (stream) => answer(stream, avatar ? [`OK ${avatar.length}\n`, avatar] : ['NONE\n']))

  const heard = []
  node.services.pubsub.addEventListener('message', ({ detail }) =>
    heard.push({ from: detail.from?.toString(), ...JSON.parse(text(detail.data)) }))
  node.services.pubsub.subscribe(topic)

  const id = node.peerId.toString()
  const publish = (type, fields = {}) =>
    node.services.pubsub.publish(topic, bytes(JSON.stringify({ type, peerId: id, ...fields, ts: Date.now() })))
  const avatarHash = avatar && createHash('sha256').update(avatar).digest('hex').slice(0, 16)
  const heartbeat = setInterval(() => publish('update', { content: label, avatarHash }).catch(() => {}), heartbeatMs)

  return {
    id,
    addresses: node.getMultiaddrs().map(String),
    rows,
    heard,
    publish,
    /** Its last word: a heartbeat after it would say the contrary. */
    leave() {
      clearInterval(heartbeat)
      return publish('offline')
    },
    /** The host name under which our viewer serves this peer's site. */
    siteHost: `${node.peerId.toCID().toString(base36.encoder)}.localhost`,
    dial: (address) => node.dial(multiaddr(address)),
    async content(peer) { return text(await exchange(node, peer, '/goop/content/1.0.0')) },
    async site(peer, path) { return siteReply(await exchange(node, peer, '/goop/site/1.0.0', `GET ${path}\n`)) },
    async data(peer, request) { return JSON.parse(text(await exchange(node, peer, '/goop/data/1.0.0', `${JSON.stringify(request)}\n`))) },
    async avatar(peer) { return exchange(node, peer, '/goop/avatar/1.0.0') },
    async stop() { clearInterval(heartbeat); await node.stop() },
  }
}

function siteAnswer(site, request) {
  if (!request.startsWith('GET ')) return ['ERR bad request\n']
  const path = request.slice(4).trim()
  const file = site[path === '/' ? '/index.html' : path]
  if (!file) return ['ERR not found\n']
  return [`OK ${file.mime} ${file.claims ?? file.bytes.length}\n`, file.bytes]
}

// One table, `notes`, that anybody may read and add to.
function dataAnswer(rows, { op, table, data }, caller) {
  if (table !== 'notes') return { ok: false, error: `SQL logic error: no such table: ${table} (1)` }
  if (op === 'insert') {
    rows.push({ _id: rows.length + 1, _owner: caller, ...data })
    return { ok: true, data: { id: rows.length, status: 'inserted' } }
  }
  if (op === 'query') return { ok: true, data: rows.length ? rows : null }
  return { ok: false, error: `unknown op: ${op}` }
}

function siteReply(reply) {
  const end = reply.indexOf(10)
  const header = text(reply.subarray(0, end))
  if (header.startsWith('ERR ')) return { error: header.slice(4) }
  const [, mime, length] = header.match(/^OK (.*) (\d+)$/)
  return { mime, length: Number(length), bytes: reply.subarray(end + 1) }
}

async function exchange(node, peer, protocol, request) {
  const connection = node.getConnections().find(({ remotePeer }) => remotePeer.toString() === peer)
  const stream = await connection.newStream(protocol)
  // As Go does: the write side stays open until the answer is read.
  if (request) stream.send(bytes(request))
  const reply = await read(stream)
  await stream.close()
  return reply
}

async function answer(stream, parts) {
  for (const part of parts) stream.send(bytes(part)) // bounded by what the tests serve; closing waits until all has left
  await stream.close()
}

async function line(stream) {
  const received = await read(stream, (soFar) => soFar.includes(10) || soFar.length > maxLine)
  const end = received.indexOf(10)
  if (end < 0) throw new Error('the stream ended before a line did')
  return text(received.subarray(0, end))
}

/**
 * All bytes up to the end of the stream, or until `enough`. Not by the stream's own iterator: it waits for ever
 * for an end that came before it did, as it does when the other side speaks first.
 */
function read(stream, enough = () => false) {
  const { promise, resolve, reject } = Promise.withResolvers()
  let received = Buffer.alloc(0)
  const message = ({ data }) => {
    received = Buffer.concat([received, data.subarray()])
    if (stream.readableEnded || enough(received)) resolve(received)
  }
  const end = () => resolve(received)
  const close = ({ error }) => (error ? reject(error) : resolve(received))
  stream.addEventListener('message', message)
  stream.addEventListener('end', end)
  stream.addEventListener('close', close)
  if (stream.readableEnded && stream.readBufferLength === 0) resolve(received)
  return promise.finally(() => {
    stream.removeEventListener('message', message)
    stream.removeEventListener('end', end)
    stream.removeEventListener('close', close)
  })
}

const bytes = (part) => (typeof part === 'string' ? new TextEncoder().encode(part) : part)
const text = (part) => new TextDecoder().decode(part)
