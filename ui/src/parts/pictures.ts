import { createContext } from 'svelte';

/** How an avatar gets its picture; the parts know nothing of where it comes from. */
export type LoadPicture = (peer: string, hash: string) => Promise<string | null>;

export const [usePictures, providePictures] = createContext<LoadPicture>();
