// The square cropped from a picture, in the picture's own pixels.

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Crop {
  /** The upper left corner. */
  readonly x: number;
  readonly y: number;
  /** The length of each side. */
  readonly side: number;
}

/** The largest zoom, relative to the whole width or height. */
export const MAX_ZOOM = 8;

/** The largest centered square. */
export const whole = ({ width, height }: Size): Crop => {
  const side = Math.min(width, height);
  return { x: (width - side) / 2, y: (height - side) / 2, side };
};

/** The same center at this zoom. */
export function zoomed(crop: Crop, picture: Size, zoom: number): Crop {
  const side = Math.min(picture.width, picture.height) / Math.min(MAX_ZOOM, Math.max(1, zoom));
  const grown = (crop.side - side) / 2;
  return within({ x: crop.x + grown, y: crop.y + grown, side }, picture);
}

/** Moved by a share of its side, within the picture. */
export const moved = (crop: Crop, picture: Size, right: number, down: number): Crop => within({ ...crop, x: crop.x + right * crop.side, y: crop.y + down * crop.side }, picture);

const within = (crop: Crop, { width, height }: Size): Crop => ({
  ...crop,
  x: Math.min(Math.max(0, crop.x), width - crop.side),
  y: Math.min(Math.max(0, crop.y), height - crop.side),
});
