import { describe, expect, it } from 'vitest';
import { shortId, siteLabel } from '../src/lib/id';

const ID = '12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';

describe('siteLabel', () => {
  it('writes an Ed25519 key as specified', () => {
    expect(siteLabel(ID)).toBe('k51qzi5uqu5dhdmyb9bd18pypu2wp5lpv2xnskfmrqa4lb5knqryrotb05e7or');
  });

  it('writes the hash of a longer key within a DNS label', () => {
    const label = siteLabel('QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N');
    expect(label).toMatch(/^k[0-9a-z]+$/);
    expect(label?.length).toBeLessThanOrEqual(63);
  });

  it.each([
    '',
    'mira',
    '0OIl',
    ID.slice(0, -1),
    `${ID}1`,
    `1${ID}`,
    'z'.repeat(200),
    '🙂',
  ])('refuses %j', (text) => {
    expect(siteLabel(text)).toBeNull();
  });
});

it('shortens ids and leaves short text alone', () => {
  expect(shortId(ID)).toBe('12D3Koo…U5SA');
  expect(shortId('short')).toBe('short');
});
