// The square cut out of a picture, in the picture's own pixels.

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Crop {
  /** Of the upper left corner. */
  readonly x: number;
  readonly y: number;
  /** Of each side. */
  readonly side: number;
}

/** How much closer one can look than at the whole width or height. */
export const MAX_ZOOM = 8;

/** As much as fits, from the middle. */
export const whole = ({ width, height }: Size): Crop => {
  const side = Math.min(width, height);
  return { x: (width - side) / 2, y: (height - side) / 2, side };
};

/** The same middle, seen `zoom` times closer than the whole. */
export function zoomed(crop: Crop, picture: Size, zoom: number): Crop {
  const side = Math.min(picture.width, picture.height) / Math.min(MAX_ZOOM, Math.max(1, zoom));
  const grown = (crop.side - side) / 2;
  return within({ x: crop.x + grown, y: crop.y + grown, side }, picture);
}

/** Moved by a part of its side; it stays within the picture. */
export const moved = (crop: Crop, picture: Size, right: number, down: number): Crop => within({ ...crop, x: crop.x + right * crop.side, y: crop.y + down * crop.side }, picture);

const within = (crop: Crop, { width, height }: Size): Crop => ({
  ...crop,
  x: Math.min(Math.max(0, crop.x), width - crop.side),
  y: Math.min(Math.max(0, crop.y), height - crop.side),
});
