// Films and sound as people publish them, made by Debian's ffmpeg; and one of four gigabytes, most of which is a hole.

import { execFile } from 'node:child_process'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** How long each of them plays. */
export const SECONDS = 60

const picture = ['-f', 'lavfi', '-i', `testsrc=size=320x180:rate=10:duration=${SECONDS}`]
const sound = ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${SECONDS}`]
/** A key frame a second, so that a seek has little to decode. An MP4 has its index at the end unless one asks for more. */
const ways = {
  'film.mp4': [...picture, ...sound, '-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-g', '10', '-c:a', 'aac'],
  'film.webm': [...picture, ...sound, '-c:v', 'libvpx', '-deadline', 'realtime', '-g', '10', '-c:a', 'libvorbis'],
  'song.mp3': [...sound, '-c:a', 'libmp3lame'],
}

/** The bytes of one of these files. */
export async function media(name) {
  const dir = await mkdtemp(join(tmpdir(), 'goop2-media-'))
  try {
    await execute('ffmpeg', ['-loglevel', 'error', ...ways[name], join(dir, name)])
    return await readFile(join(dir, name))
  } finally {
    await rm(dir, { recursive: true })
  }
}

/** The boxes of an MP4 (ISO/IEC 14496-12) between two places. */
export function* boxes(file, from = 0, to = file.length) {
  for (let at = from; at < to; ) {
    const size = file.readUInt32BE(at)
    yield { type: file.toString('latin1', at + 4, at + 8), at, body: at + 8, end: at + size }
    at += size
  }
}

const NESTED = ['moov', 'trak', 'mdia', 'minf', 'stbl']

/** An index like this one, whose chunks from `split` on lie `gap` bytes farther: its offsets get 64 bits. */
function moved(file, { type, at, body, end }, split, gap) {
  if (type === 'stco') return offsets(file, body, split, gap)
  if (!NESTED.includes(type)) return file.subarray(at, end)
  return box(type, ...[...boxes(file, body, end)].map((inner) => moved(file, inner, split, gap)))
}

function offsets(file, body, split, gap) {
  const count = file.readUInt32BE(body + 4)
  const table = Buffer.alloc(8 + 8 * count)
  table.writeUInt32BE(count, 4)
  for (let index = 0; index < count; index++) {
    const offset = file.readUInt32BE(body + 8 + 4 * index)
    table.writeBigUInt64BE(BigInt(offset >= split ? offset + gap : offset), 8 + 8 * index)
  }
  return box('co64', table)
}

function box(type, ...parts) {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(8)
  head.writeUInt32BE(8 + body.length)
  head.write(type, 4, 'latin1')
  return Buffer.concat([head, body])
}

/** Writes an MP4 with a hole of `gap` bytes in its middle; it takes no room on the disk. */
export async function writeWithHole(path, film, gap) {
  const top = [...boxes(film)]
  const [data, index] = ['mdat', 'moov'].map((type) => top.find((box) => box.type === type))
  // The chunks lie one after the other, so any place between two of them will do; the first after the middle is taken.
  const starts = [...chunks(film, index)].sort((a, b) => a - b)
  const split = starts.find((start) => start > (data.at + data.end) / 2)
  // A box of 64 bits has its length after its name: eight bytes more in front of all chunks.
  const head = Buffer.alloc(16)
  head.writeUInt32BE(1)
  head.write('mdat', 4, 'latin1')
  head.writeBigUInt64BE(BigInt(data.end - data.body + 16 + gap), 8)
  const file = await open(path, 'w')
  try {
    let at = 0
    const put = async (bytes) => {
      await file.write(bytes, 0, bytes.length, at)
      at += bytes.length
    }
    // The box before the data is padding of just that length (`free`): the chunks stay where they are.
    await put(film.subarray(0, data.at - 8))
    await put(head)
    await put(film.subarray(data.body, split))
    at += gap
    await put(film.subarray(split, data.end))
    await put(moved(film, index, split, gap))
    return at
  } finally {
    await file.close()
  }
}

function* chunks(file, { type, body, end }) {
  if (type === 'stco') {
    const count = file.readUInt32BE(body + 4)
    for (let index = 0; index < count; index++) yield file.readUInt32BE(body + 8 + 4 * index)
  } else if (NESTED.includes(type)) for (const inner of boxes(file, body, end)) yield* chunks(file, inner)
}
