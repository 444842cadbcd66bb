// What a program and all that it started take of memory and processor, as Linux counts it.

import { readdir, readFile } from 'node:fs/promises'

/** A process may end while it is looked at. */
const gone = (error) => {
  if (!['ENOENT', 'ESRCH'].includes(error.code)) throw error
  return ''
}

const read = (path) => readFile(path, 'utf8').catch(gone)

/** A program and all that it started, by their numbers. */
async function family(pid) {
  const children = new Map()
  for (const name of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const parent = (await read(`/proc/${name}/stat`)).split(') ')[1]?.split(' ')[1]
    children.set(parent, [...(children.get(parent) ?? []), name])
  }
  const all = [String(pid)]
  for (const each of all) all.push(...(children.get(each) ?? []))
  return all
}

/** Megabytes by the name of each process; what several share is counted by halves, thirds and so on. */
export async function memory(pid) {
  const found = await Promise.all((await family(pid)).map(async (each) => [(await read(`/proc/${each}/comm`)).trim(), Number(/^Pss:\s+(\d+)/m.exec(await read(`/proc/${each}/smaps_rollup`))?.[1] ?? 0) / 1024]))
  return { all: found.reduce((sum, [, size]) => sum + size, 0), each: found.map(([name, size]) => `${name} ${size.toFixed(1)} MB`) }
}

/** Seconds of a processor since it began. */
export async function processor(pid) {
  let seconds = 0
  for (const each of await family(pid))
    for (const task of await readdir(`/proc/${each}/task`).catch((error) => gone(error) || [])) seconds += Number((await read(`/proc/${each}/task/${task}/schedstat`)).split(' ')[0]) / 1e9
  return seconds
}
