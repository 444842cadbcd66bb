// Numbers of things in words.

const count = (number: number, one: string, many: string): string => `${number.toLocaleString('en')} ${number === 1 ? one : many}`;

export const people = (number: number): string => (number === 0 ? 'Nobody' : count(number, 'person', 'people'));
export const visits = (number: number): string => count(number, 'visit', 'visits');
export const files = (number: number): string => count(number, 'file', 'files');
export const readers = (number: number): string => count(number, 'reader', 'readers');
