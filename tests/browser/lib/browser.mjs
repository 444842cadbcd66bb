// Debian's Chromium, and the windows of Goop2 in it.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

/** For a page to do what it should: local and small, so this is only ever waited for by a failure. */
const PATIENCE_MS = 15_000

const args = [
  '--disable-gpu',
  // A camera and a microphone, to be refused.
  '--use-fake-device-for-media-stream',
  // Nothing outside this machine is there to be asked.
  '--disable-quic',
  '--disable-sync',
]

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const viewport = { width: 1120, height: 720 }

export async function launch() {
  return chromium.launch({ executablePath, args })
}

/** A browser of one profile that lets frames of other sites keep things, which Debian's default and private ones deny them. */
export async function launchKeeping(...more) {
  const dir = await mkdtemp(join(tmpdir(), 'goop2-profile-'))
  await mkdir(join(dir, 'Default'))
  await writeFile(join(dir, 'Default/Preferences'), JSON.stringify({ profile: { cookie_controls_mode: 0 } }))
  const context = await chromium.launchPersistentContext(dir, { executablePath, args: [...args, ...more], viewport })
  context.setDefaultTimeout(PATIENCE_MS)
  context.once('close', () => rm(dir, { recursive: true, force: true, maxRetries: 5 }))
  return context
}

/** A user's browser, with nothing remembered. */
export async function profile(browser, options = {}) {
  const context = await browser.newContext({ viewport, serviceWorkers: 'allow', ...options })
  context.setDefaultTimeout(PATIENCE_MS)
  return context
}

/** Goop2's own window in a browser, as a person or a screen reader finds things in it. */
export class Window {
  constructor(page) {
    this.page = page
    this.toolbar = page.getByRole('toolbar', { name: 'Site browser' })
    this.search = page.getByRole('textbox', { name: 'Find a peer or paste an address' })
    this.address = this.toolbar.getByRole('button', { name: /^Address:/ })
    this.back = this.toolbar.getByRole('button', { name: 'Back' })
    this.forward = this.toolbar.getByRole('button', { name: 'Forward' })
    this.reload = this.toolbar.getByRole('button', { name: 'Reload' })
    this.copyLink = this.toolbar.getByRole('button', { name: 'Copy link' })
    this.site = page.frameLocator('iframe')
  }

  /** As the printed address does: with the token, once. */
  static async open(context, peer) {
    const page = await context.newPage()
    await page.goto(peer.openUrl)
    const window = new Window(page)
    await page.getByRole('status').filter({ hasText: /^\s*Online\s*$/ }).waitFor()
    return window
  }

  /** One of the pages beside the browser. */
  async show(name) {
    await this.page.getByRole('navigation', { name: 'Goop2' }).getByRole('button', { name }).click()
    await this.page.getByRole('heading', { level: 1, name }).waitFor()
  }

  /** Those listed under one heading. */
  group(title) {
    return this.page.getByRole('navigation', { name: 'Peers' }).getByRole('region', { name: title })
  }

  row(group, name) {
    // Beside the row stands what tells about the peer.
    return this.group(group).getByRole('button', { name }).and(this.page.locator('[data-peer]'))
  }

  /** Goes where a pasted text leads. */
  async go(text) {
    await this.search.fill(text)
    await this.search.press('Enter')
  }

  /** What `act` brings into the frame, once it is there. */
  async arrival(url, act) {
    const arrived = this.page.waitForEvent('framenavigated', { predicate: (frame) => frame.url() === url })
    await act()
    const frame = await arrived
    await frame.waitForLoadState()
    return frame
  }

  /** Visits a site of another peer and gives the frame that shows it. */
  async visit(peer, other, path = '/') {
    return this.arrival(await peer.site(other, path), () => this.go(`goop://${other.id}${path}`))
  }
}
