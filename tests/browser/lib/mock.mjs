// The window with a mock peer: every state it has, without a backend.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ui = fileURLToPath(new URL('../../../ui', import.meta.url))

/**
 * The development server, or with `built` the bundle of the same, on a port of its own. `npm test` makes the bundle before any
 * test starts: several files show it at once, and none may make it anew under another.
 */
export class Mock {
  #child

  static async start({ built = false } = {}) {
    const mock = new Mock()
    const which = built ? ['preview', '--outDir', 'node_modules/.mock'] : []
    mock.#child = spawn('node_modules/.bin/vite', [...which, '--mode', 'mock', '--port', '0', '--clearScreen', 'false'], {
      cwd: ui,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    for await (const line of createInterface({ input: mock.#child.stdout })) {
      const [url] = /http:\/\/\S+/.exec(line.replaceAll(/\x1b\[\d*m/g, '')) ?? []
      if (!url) continue
      mock.url = url
      return mock
    }
    throw new Error('the mock did not start')
  }

  at(scenario) {
    return `${this.url}?scenario=${scenario}`
  }

  async stop() {
    this.#child.kill()
  }
}
