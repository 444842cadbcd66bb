// One peer that visits the sites of others, in a browser and in its own window.

import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { launch, profile, Window } from './browser.mjs'
import { crawl } from './crawl.mjs'
import { Peer, removeAll } from './peer.mjs'
import { Plain } from './plain.mjs'

export class Visits {
  owners = []

  static async start() {
    const visits = new Visits()
    ;[visits.browser, visits.visitor] = await Promise.all([launch(), Peer.start('Visitor')])
    visits.context = await profile(visits.browser)
    visits.window = await Window.open(visits.context, visits.visitor)
    return visits
  }

  /** A peer with this folder as its site, online for the visitor. */
  async owner(label, dir) {
    // A page that waits for changes is never done loading.
    const peer = await Peer.start(label, { config: { site: { reload: false } } })
    this.owners.push(peer)
    await cp(dir, join(peer.dir, 'site'), { recursive: true })
    await this.visitor.join(peer)
    return peer
  }

  /** The address that people know; the viewer sends a browser on from there. */
  known(peer, path = '/') {
    return `${this.visitor.url}p/${peer.id}${path}`
  }

  /** In a tab: the page of this address, and where it is. */
  async opened(url) {
    const tab = await this.context.newPage()
    const answer = await tab.goto(url)
    return { tab, status: answer.status(), path: new URL(tab.url()).pathname }
  }

  /** Every page of a folder behind a plain static server, and at the peer that has it as its site. */
  async compared(dir, peer) {
    const plain = await Plain.start(dir)
    try {
      return { expected: await crawl(this.context, `${plain.url}/`), visited: await crawl(this.context, this.known(peer)) }
    } finally {
      await plain.stop()
    }
  }

  async stop() {
    await this.browser.close()
    await removeAll(this.visitor, ...this.owners)
  }
}
