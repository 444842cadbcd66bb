// A line to somebody far away: a proxy for TCP or UDP on which everything takes its time, as long and as wide as it is made. A TCP
// connection is accepted at once: its handshake is not counted.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** Bytes at a time: what is sent in one go arrives in pieces, as on a network. */
const PIECE = 16 * 1024

export class Line {
  #server
  #sockets = new Set()

  /** To a port of this computer, `ms` there and back, with so many bytes a second in each direction. */
  static async to(port, { ms, rate = Infinity }) {
    const line = new Line()
    line.#server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      for (const [from, to] of [[near, far], [far, near]]) {
        line.#sockets.add(from)
        from.on('error', () => to.destroy())
        from.on('close', () => line.#sockets.delete(from))
        carry(from, to, ms / 2, rate)
      }
    })
    line.#server.listen(0, '127.0.0.1')
    await once(line.#server, 'listening')
    line.port = line.#server.address().port
    return line
  }

  async stop() {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#server, 'close')
  }
}

/** The same for datagrams, which are as many as come. */
export class DatagramLine {
  #near = createSocket('udp4')
  #far = new Map()

  static async to(port, { ms }) {
    const line = new DatagramLine()
    line.#near.on('message', (data, { port: from }) => later(line.#to(port, from, ms), data, ms))
    line.#near.bind(0, '127.0.0.1')
    await once(line.#near, 'listening')
    line.port = line.#near.address().port
    return line
  }

  /** The socket that stands for the one that sends from this port. */
  #to(port, from, ms) {
    const known = this.#far.get(from)
    if (known) return known
    const socket = createSocket('udp4')
    const far = { send: (data) => socket.send(data, port, '127.0.0.1'), close: () => socket.close() }
    socket.on('message', (data) => later({ send: (data) => this.#near.send(data, from, '127.0.0.1') }, data, ms))
    this.#far.set(from, far)
    return far
  }

  async stop() {
    for (const socket of this.#far.values()) socket.close()
    this.#near.close()
  }
}

function later(socket, data, ms) {
  setTimeout(() => {
    try {
      socket.send(data)
    } catch {
      // The line has been taken down.
    }
  }, ms / 2)
}

/** Passes on in order, each piece when the line has carried it. */
function carry(from, to, ms, rate) {
  // When the last piece has left, and what is on its way.
  let left = 0
  const onTheWay = []
  const arrive = () => {
    const now = performance.now()
    while (onTheWay.length && onTheWay[0].at <= now) {
      const { piece } = onTheWay.shift()
      if (to.destroyed) continue
      if (piece) to.write(piece)
      else to.end()
    }
    // What a network holds is what is on its way.
    if (from.isPaused() && left - now < ms) from.resume()
    if (onTheWay.length) setTimeout(arrive, onTheWay[0].at - performance.now())
  }
  const send = (piece) => {
    left = Math.max(left, performance.now()) + ((piece?.length ?? 0) / rate) * 1000
    onTheWay.push({ at: left + ms, piece })
    if (onTheWay.length === 1) setTimeout(arrive, left + ms - performance.now())
    if (left - performance.now() > ms) from.pause()
  }
  from.on('data', (data) => {
    for (let at = 0; at < data.length; at += PIECE) send(data.subarray(at, at + PIECE))
  })
  from.on('end', () => send())
}
