// Ports for tests that must name a port before anything listens on it; `port.rs` beside this file says why they are not the system's.
import { once } from 'node:events'
import { createServer } from 'node:net'

const first = 10_000
const processes = 200
const each = 100
let given = 0

/** A port that nothing listens on, and that no other test is given. */
export async function unusedPort() {
  for (let tries = 0; tries < each; tries++) {
    const port = first + (process.pid % processes) * each + (given++ % each)
    const server = createServer().listen(port)
    const free = await once(server, 'listening').then(() => true, () => false)
    if (!free) continue
    server.close()
    await once(server, 'close')
    return port
  }
  throw new Error('none of a hundred ports is unused')
}
