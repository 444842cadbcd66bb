// Peer ids as people and addresses write them. The same key has two spellings: base58 (`12D3Koo…`), which everything
// shows and stores, and base36 (`k51…`), which is a valid DNS label and so names the origin of a peer's site.

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const BASE36 = '0123456789abcdefghijklmnopqrstuvwxyz';

/** CID version 1, content type `libp2p-key`. */
const CID_PREFIX = [0x01, 0x72];

/** Longer text is not a peer id; decoding takes time quadratic in the length. */
const MAX_ID_CHARS = 128;

/** The DNS label of a peer's site, or null when the text is not a peer id. */
export function siteLabel(id: string): string | null {
  const multihash = decode58(id);
  return multihash && wellFormed(multihash) ? `k${encode36([...CID_PREFIX, ...multihash])}` : null;
}

/** `12D3Koo…h8Qv`: enough to tell peers apart at a glance. */
export function shortId(id: string): string {
  return id.length > 13 ? `${id.slice(0, 7)}…${id.slice(-4)}` : id;
}

/** A multihash is a code, a length and that many bytes; peer ids use one-byte codes and lengths only. */
function wellFormed(bytes: number[]): boolean {
  const [code, length] = bytes;
  return (code === 0x00 || code === 0x12) && length === bytes.length - 2 && length > 0;
}

function decode58(text: string): number[] | null {
  if (text === '' || text.length > MAX_ID_CHARS) return null;
  const digits: number[] = [];
  for (const char of text) {
    const digit = BASE58.indexOf(char);
    if (digit < 0) return null;
    digits.push(digit);
  }
  return rebase(digits, 58, 256);
}

function encode36(bytes: number[]): string {
  return rebase(bytes, 256, 36)
    .map((digit) => BASE36[digit])
    .join('');
}

/** Big-endian digits in another base; leading zeros are kept one for one, as both encodings require. */
function rebase(digits: number[], from: number, to: number): number[] {
  const out: number[] = [];
  for (const digit of digits) {
    let carry = digit;
    for (let i = 0; i < out.length; i++) {
      carry += (out[i] ?? 0) * from;
      out[i] = carry % to;
      carry = Math.floor(carry / to);
    }
    for (; carry > 0; carry = Math.floor(carry / to)) out.push(carry % to);
  }
  for (const digit of digits) {
    if (digit !== 0) break;
    out.push(0);
  }
  return out.reverse();
}
