// The link to a peer's site that people pass on: its id in base36, which no program can spoil by making it lower case.

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
/** Of the id of an Ed25519 key. */
const ID_BITS = 38n * 8n
/** CID version 1 of a libp2p key. */
const CID = 0x0172n

export function link(id, path = '/') {
  const value = [...id].reduce((value, char) => value * 58n + BigInt(BASE58.indexOf(char)), 0n)
  return `goop://k${((CID << ID_BITS) + value).toString(36)}${path}`
}
