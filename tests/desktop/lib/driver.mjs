// The window, by the WebDriver protocol (https://www.w3.org/TR/webdriver2/): tauri-driver starts the program, WebKit drives it.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { unusedPort } from '../../support/port.mjs'

/** Keys as WebDriver writes them. */
export const KEY = { enter: '\uE007' }
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'
/** For anything the window should show: local and small, so this is only ever waited for by a failure. */
const PATIENCE_MS = 30_000
/** For one answer of the driver, of which a start is the longest: a program that ended before its window came gets none. */
const ANSWER_MS = 60_000
/** Looks at the window are this far apart: it has no way to tell us. */
const LOOK_MS = 50

export class Driver {
  #process
  #url

  static async start() {
    const driver = new Driver()
    const [port, native] = [await unusedPort(), await unusedPort()]
    driver.#url = `http://127.0.0.1:${port}`
    driver.#process = spawn('tauri-driver', ['--port', `${port}`, '--native-port', `${native}`, '--native-driver', '/usr/bin/WebKitWebDriver'], { stdio: ['ignore', 'inherit', 'inherit'] })
    await until('tauri-driver', () => fetch(`${driver.#url}/status`).then((answer) => answer.ok, () => false))
    return driver
  }

  /** Starts the program with these arguments and gives its window. */
  async open(application, args) {
    const capabilities = { alwaysMatch: { 'tauri:options': { application, args } } }
    const { sessionId } = await this.ask('POST', '/session', { capabilities })
    return new Window(this, `/session/${sessionId}`)
  }

  async ask(method, path, body) {
    const answer = await fetch(this.#url + path, { method, body: body && JSON.stringify(body), signal: AbortSignal.timeout(ANSWER_MS) })
    const { value } = await answer.json()
    if (!answer.ok) throw Object.assign(new Error(`${path}: ${value.message}`), { code: value.error })
    return value
  }

  async stop() {
    this.#process.kill()
    await once(this.#process, 'close')
  }
}

export class Window {
  constructor(driver, session) {
    this.driver = driver
    this.session = session
  }

  ask(method, path, body) {
    return this.driver.ask(method, this.session + path, body)
  }

  /** Runs a function in the page. */
  run(script, ...args) {
    return this.ask('POST', '/execute/sync', { script: `return (${script})(...arguments)`, args })
  }

  /** What can be pressed or read under this name, the first that is shown. */
  find(role, name) {
    const what = `${role} “${name}”`
    return until(what, async () => {
      const found = await this.run(pick, role, name instanceof RegExp ? { source: name.source } : name)
      return found && new Element(this, found[ELEMENT], what)
    })
  }

  /** What a selector finds first, shown or not. */
  element(selector) {
    return until(selector, async () => {
      const found = await this.run((selector) => document.querySelector(selector), selector)
      return found && new Element(this, found[ELEMENT], selector)
    })
  }

  async press(role, name) {
    for (;;) {
      const element = await this.find(role, name)
      try {
        return await element.click()
      } catch (error) {
        // The page was loaded anew since it was found.
        if (error.code !== 'stale element reference') throw error
      }
    }
  }

  /** Answers the question on show, and waits until it is gone: as long as it is there nothing else can be pressed. */
  async answer(name) {
    await this.press('button', name)
    await until('the end of the question', () => this.run(() => !document.querySelector('dialog[open]')))
  }

  /** Does what makes the window load its own page anew, and waits until it has. */
  async anew(act) {
    await this.run(() => void (window.old = true))
    await act()
    await until('the window anew', () => this.run(() => !window.old))
  }

  /** Presses a key in the page, wherever its focus is. */
  key(value) {
    const actions = ['keyDown', 'keyUp'].map((type) => ({ type, value }))
    return this.ask('POST', '/actions', { actions: [{ type: 'key', id: 'keyboard', actions }] })
  }

  text() {
    return this.run(() => document.body.innerText)
  }

  /** Waits until the window says this, and tells how long that took, in milliseconds. */
  async says(text) {
    const since = performance.now()
    await until(`the text “${text}”`, async () => (text instanceof RegExp ? text.test(await this.text()) : (await this.text()).includes(text)), () => this.text())
    return performance.now() - since
  }

  /** Goes into the frame of the visited site while this runs. */
  async inSite(act) {
    const frame = await until('a site', () => this.run(() => document.querySelector('iframe')))
    await this.ask('POST', '/frame', { id: frame })
    try {
      return await act()
    } finally {
      await this.ask('POST', '/frame', { id: null })
    }
  }

  screenshot() {
    return this.ask('GET', '/screenshot')
  }

  /** Ends the program as the driver does: not in order. It answers before it has done so, and one that is then stopped never does. */
  async end() {
    await this.driver.ask('DELETE', this.session).catch(() => {})
    kill(this.pid)
  }
}

class Element {
  constructor(window, id, what) {
    Object.assign(this, { window, id, what })
  }

  click() {
    return this.window.ask('POST', `/element/${this.id}/click`, {})
  }

  async fill(text) {
    await this.window.ask('POST', `/element/${this.id}/clear`, {})
    await this.window.ask('POST', `/element/${this.id}/value`, { text })
  }

  /** Types into it; into a field for files, their paths. */
  type(text) {
    return this.window.ask('POST', `/element/${this.id}/value`, { text })
  }

  value() {
    return this.window.ask('GET', `/element/${this.id}/property/value`)
  }
}

/** Runs in the page. Roles as a person names them; the name is the label, or what stands on the thing. */
function pick(role, name) {
  const selectors = {
    button: 'button, [role=button], input[type=submit]',
    textbox: 'input:not([type=checkbox]):not([type=submit]), textarea',
    checkbox: 'input[type=checkbox]',
    radio: 'input[type=radio]',
    switch: '[role=switch]',
    dialog: 'dialog[open]',
    heading: 'h1, h2, h3',
    link: 'a',
    treeitem: '[role=treeitem]',
  }
  const fits = (text) => (typeof name === 'string' ? text === name : new RegExp(name.source).test(text))
  const labels = (element) => [element.getAttribute('aria-label'), ...[...(element.labels ?? [])].map((label) => label.innerText), element.innerText, element.value, document.getElementById(element.getAttribute('aria-labelledby'))?.innerText]
  const inDialog = document.querySelector('dialog[open]') ?? document
  return [...inDialog.querySelectorAll(selectors[role]), ...(inDialog.matches?.(selectors[role]) ? [inDialog] : [])].find(
    (element) => element.getClientRects().length > 0 && !element.disabled && labels(element).some((text) => text && fits(text.trim())),
  ) ?? null
}

/** Asks again and again until there is an answer. */
export async function until(what, ask, otherwise = async () => '') {
  const end = Date.now() + PATIENCE_MS
  for (;;) {
    const answer = await ask().catch((error) => {
      // A page that is being loaded anew answers nothing for a moment.
      if (!error.code) throw error
      return null
    })
    if (answer) return answer
    if (Date.now() > end) assert.fail(`${what} did not come. ${await otherwise().catch(String)}`)
    await sleep(LOOK_MS)
  }
}

/** Ends a process that may have ended already. */
export function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}
