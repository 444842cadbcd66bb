import { expect, test } from 'vitest';
import { MAX_ZOOM, moved, whole, zoomed } from '../src/lib/crop';

const wide = { width: 400, height: 200 };

test('the default is the centered square', () => {
  expect(whole(wide)).toEqual({ x: 100, y: 0, side: 200 });
  expect(whole({ width: 200, height: 600 })).toEqual({ x: 0, y: 200, side: 200 });
});

test('zooming keeps the center and stays within the picture', () => {
  expect(zoomed(whole(wide), wide, 2)).toEqual({ x: 150, y: 50, side: 100 });
  expect(zoomed(whole(wide), wide, 1000).side).toBe(200 / MAX_ZOOM);
  const corner = moved(zoomed(whole(wide), wide, 4), wide, 100, 100);
  expect(corner).toEqual({ x: 350, y: 150, side: 50 });
  expect(zoomed(corner, wide, 1)).toEqual({ x: 200, y: 0, side: 200 });
  expect(moved(corner, wide, -100, -100)).toEqual({ x: 0, y: 0, side: 50 });
});
