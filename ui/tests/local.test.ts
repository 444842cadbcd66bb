import { expect, test } from 'vitest';
import { localAddress } from '../src/lib/local';

test('every way to write an address of this computer is the same one', () => {
  for (const text of [':80', '80', '0.0.0.0:80', '[::]:80', '[::1]:80', 'localhost:80', ' 127.0.0.1:80 ', 'http://127.0.0.1:80/', '127.0.0.1:0080']) expect(localAddress(text), text).toBe('127.0.0.1:80');
  expect(localAddress(' ')).toBe('');
});

test('an address of another computer, or none at all, is not', () => {
  for (const text of ['192.168.1.20:80', '[2001:db8::1]:80', 'example.org:80', '127.0.0.1', '127.0.0.1:99999', ':x', 'nonsense']) expect(localAddress(text), text).toBeNull();
});
