// js-libp2p through our relay: it reserves a place there, is visited through it, and tries to become direct.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { unusedPort } from '../support/port.mjs'
import { binary, eventually } from './ours.mjs'

// js offers no address of a local network for a direct connection, and hole punching from both sides it cannot do at all.
const publicly = '/ip4/11.0.0.1'

let server, folder, url, relay
const nodes = []

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'goop2-relay-'))
  const presence = {
    rendezvous_host: true, rendezvous_only: true, rendezvous_bind: '127.0.0.1',
    rendezvous_port: await unusedPort(), relay_port: await unusedPort(), relay_external_addrs: ['127.0.0.1'],
  }
  await writeFile(join(folder, 'goop.json'), JSON.stringify({ presence }))
  server = spawn(binary, ['rendezvous', folder, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [ready] = await once(createInterface({ input: server.stdout }), 'line')
  url = `http://127.0.0.1:${presence.rendezvous_port}`
  relay = JSON.parse(ready).relay.find((address) => address.includes('/tcp/'))
})

after(async () => {
  await Promise.all(nodes.map((node) => node.stop()))
  server.kill('SIGTERM')
  await once(server, 'exit')
  await rm(folder, { recursive: true })
})

/** A peer that listens nowhere but at the relay, if there. */
async function start(listen, announce = []) {
  const node = await createLibp2p({
    addresses: { listen, announce },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping(), dcutr: dcutr() },
    connectionGater: { denyDialMultiaddr: () => false },
    start: false,
  })
  nodes.push(node)
  return node
}

const publish = async (node) => {
  const body = JSON.stringify({ type: 'online', peerId: node.peerId.toString(), content: 'js', ts: Date.now() })
  assert.equal((await fetch(`${url}/publish`, { method: 'POST', body })).status, 204)
}

test('a stranger is refused, and a peer of the rendezvous is reached through the relay', async () => {
  const stranger = await start([`${relay}/p2p-circuit`])
  await stranger.start().catch(() => {})
  assert.deepEqual(stranger.getMultiaddrs(), [])

  const host = await start([`${relay}/p2p-circuit`])
  await publish(host)
  await host.handle('/goop/content/1.0.0', async (stream) => {
    stream.send(new TextEncoder().encode('from js\n'))
    await stream.close()
  }, { runOnLimitedConnection: true })
  await host.start()
  const [address] = host.getMultiaddrs().map(String)
  assert.ok(address.startsWith(`${relay}/p2p-circuit`), address)

  const visitor = await start([])
  await visitor.start()
  await assert.rejects(visitor.dial(multiaddr(address)))
  await publish(visitor)
  const connection = await visitor.dial(multiaddr(address))
  assert.ok(connection.limits, 'js takes every circuit for a limited connection')
  const stream = await connection.newStream('/goop/content/1.0.0', { runOnLimitedConnection: true })
  const said = await new Promise((resolve) => stream.addEventListener('message', ({ data }) => resolve(Buffer.from(data.subarray()).toString())))
  assert.equal(said, 'from js\n')
})

test('who is called through the relay calls back at a public address, and they are direct', async () => {
  const host = await start([`${relay}/p2p-circuit`])
  await publish(host)
  await host.start()
  // What it announces, js believes of itself; else it waits for AutoNAT.
  const address = `${publicly}/tcp/${await unusedPort()}`
  const visitor = await start([address], [address])
  await publish(visitor)
  await visitor.start()
  await visitor.dial(multiaddr(host.getMultiaddrs()[0].toString()))
  await eventually('a direct connection', () =>
    host.getConnections(visitor.peerId).some(({ limits, remoteAddr }) => !limits && remoteAddr.toString().startsWith(publicly)))
})
