// Real peers: the built program, run on folders made for one test.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Program, top } from './program.mjs'

export const guestbook = {
  guestbook: {
    policy: 'public',
    columns: [
      { name: 'name', type: 'TEXT' },
      { name: 'message', type: 'TEXT', not_null: true },
    ],
  },
}

export class Peer extends Program {
  /** `site` maps paths to texts, `tables` is what `tables.json` says, `config` what `goop.json` says besides the name. */
  static async start(label, { site = {}, tables = {}, config = {}, from, env } = {}) {
    const peer = new Peer()
    Object.assign(peer, { label, env })
    peer.dir = await mkdtemp(join(tmpdir(), 'goop2-'))
    if (from) await cp(join(top, from), peer.dir, { recursive: true, filter: (path) => !/\/data(\.db.*)?$/.test(path) })
    await peer.configure(config)
    if (!from) await writeFile(join(peer.dir, 'tables.json'), JSON.stringify(tables))
    await mkdir(join(peer.dir, 'site'), { recursive: true })
    for (const [path, text] of Object.entries(site)) await peer.write(path, text)
    await peer.run()
    return peer
  }

  /** The same peer again, as on another computer that its folder was copied to. */
  async copy() {
    const peer = new Peer()
    peer.label = this.label
    peer.dir = await mkdtemp(join(tmpdir(), 'goop2-'))
    await cp(this.dir, peer.dir, { recursive: true })
    await peer.run()
    return peer
  }

  /** Runs the folder, again if it ran before. */
  async run() {
    const ready = await this.launch('peer')
    this.id = ready.peer_id
    this.url = ready.viewer_url
    this.openUrl = ready.open_url
    this.port = Number(new URL(this.url).port)
    this.listen = ready.listen
    this.token = new URL(this.openUrl).searchParams.get('token')
    const { label } = await this.placeOf(this.id)
    this.origin = `http://${label}.localhost:${this.port}`
  }

  async configure(config) {
    const settings = {
      ...config,
      // A tag of its own: peers meet only where a test joins them.
      p2p: { mdns_tag: `test-${process.pid}-${this.label.replace(/\W/g, '')}`, ...config.p2p },
      profile: { label: this.label, ...config.profile },
      viewer: { http_addr: '127.0.0.1:0', ...config.viewer },
    }
    await writeFile(join(this.dir, 'goop.json'), JSON.stringify(settings))
  }

  async write(path, text) {
    const file = join(this.dir, 'site', path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }

  /** The UI's API, as the user. A path with a body is a POST. */
  async api(path, body) {
    const init = { headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' } }
    if (body !== undefined) Object.assign(init, { method: 'POST', body: JSON.stringify(body) })
    const response = await fetch(new URL(path, this.url), init)
    const text = await response.text()
    assert.ok(response.ok, `${path}: ${response.status} ${text}`)
    return JSON.parse(text)
  }

  /** The first state of the peer that fits, as its window gets it. */
  async state(fits) {
    const response = await fetch(new URL('api/events', this.url), { headers: { authorization: `Bearer ${this.token}` } })
    assert.ok(response.ok)
    let text = ''
    for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
      const events = (text + part).split('\n\n')
      text = events.pop()
      for (const event of events) {
        const [, data] = /^event: ?snapshot\ndata: ?(.*)$/m.exec(event) ?? []
        const state = data && JSON.parse(data)
        if (state && fits(state)) return state
      }
    }
    assert.fail(`${this.label} ended before it was as expected`)
  }

  /** All rows of an own table. */
  async rows(table) {
    return (await this.api('api/data/query', { table })) ?? []
  }

  /** The address of a site as this peer's viewer serves it. */
  async site(peer, path = '/') {
    return `${(await this.placeOf(peer.id)).origin}/p/${peer.id}${path}`
  }

  /** Where the viewer sends a browser that opens the address people know. */
  async placeOf(id) {
    const { status, location } = await redirect(`${this.url}p/${id}/`)
    assert.equal(status, 307)
    const { origin, hostname } = new URL(location)
    return { origin, label: hostname.replace(/\.localhost$/, '') }
  }

  /** Knows another by its address, and waits until both see each other. */
  async join(other) {
    const address = other.listen.find((text) => text.startsWith('/ip4/127.0.0.1/tcp/'))
    assert.ok(address, `no loopback address among ${other.listen}`)
    const dialable = address.includes('/p2p/') ? address : `${address}/p2p/${other.id}`
    assert.deepEqual(await this.api('api/address', { address: dialable }), { peer: other.id })
    await Promise.all([this.sees(other), other.sees(this)])
  }

  sees(other, state = 'online') {
    return this.event((event) => event.event === 'peer' && event.peer_id === other.id && event.state === state)
  }
}

/** Stops and removes all, whichever of them exist. */
export const removeAll = (...peers) => Promise.all(peers.filter(Boolean).map((peer) => peer.remove()))

/** `fetch` hides where a redirect leads; a browser's navigation is what asks for one. */
async function redirect(url) {
  const headers = { accept: 'text/html', 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
  const request = get(url, { headers })
  const [response] = await once(request, 'response')
  response.resume()
  return { status: response.statusCode, location: response.headers.location }
}
