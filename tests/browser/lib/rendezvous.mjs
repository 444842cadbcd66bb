// Real rendezvous servers, and peers that only publish.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unusedPort } from '../../support/port.mjs'
import { open } from './page.mjs'
import { Program } from './program.mjs'

export const password = 'a password & <b>more</b>'

export class Rendezvous extends Program {
  label = 'Rendezvous'

  /** `presence` is that section of `goop.json`, besides a free port and the operator's password. */
  static async start(presence = {}) {
    const server = new Rendezvous()
    server.dir = await mkdtemp(join(tmpdir(), 'goop2-'))
    await writeFile(join(server.dir, 'goop.json'), JSON.stringify({ presence: { rendezvous_port: 0, admin_password: password, ...presence } }))
    const { listen, connect_urls } = await server.launch('rendezvous')
    server.port = Number(/:(\d+)$/.exec(listen[0])[1])
    server.url = `http://127.0.0.1:${server.port}`
    server.connectUrls = connect_urls
    return server
  }

  /** Both ports have to be named then. */
  static async withRelay(presence = {}) {
    return this.start({ rendezvous_host: true, rendezvous_port: await unusedPort(), relay_port: await unusedPort(), ...presence })
  }

  /** As an existing peer says that it is there: unsigned. Gives the status. */
  async publish(peer) {
    const { status } = await fetch(`${this.url}/publish`, { method: 'POST', body: JSON.stringify({ type: 'online', ts: Date.now(), ...peer }) })
    return status
  }

  /** As the operator's own tools ask. */
  async operator(path) {
    const authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`
    const answer = await fetch(this.url + path, { headers: { authorization } })
    assert.equal(answer.status, 200)
    return answer.json()
  }
}

/** The operator's page of a server, signed in. */
export async function administration(browser, server) {
  const opened = await open(browser, `${server.url}/admin`)
  await opened.page.getByLabel('Password').fill(password)
  await opened.page.getByRole('button', { name: 'Sign in' }).click()
  await opened.page.getByRole('heading', { name: 'Peers' }).waitFor()
  return opened
}

const digits = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

/** The id that a peer with an Ed25519 key would have; nobody has the key. */
export function peerId(name) {
  const bytes = Buffer.concat([Buffer.from('002408011220', 'hex'), createHash('sha256').update(name).digest()])
  let number = BigInt(`0x${bytes.toString('hex')}`)
  let text = ''
  for (; number > 0n; number /= 58n) text = digits[Number(number % 58n)] + text
  return `1${text}`
}
