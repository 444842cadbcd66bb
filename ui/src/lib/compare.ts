// Two texts, line by line: which lines the other one has not.

export interface Line {
  readonly text: string;
  readonly differs: boolean;
}

/** Lines that are compared each with each: more than this take longer than a frame. */
const MOST = 1500;

export function compared(mine: string, theirs: string): { mine: Line[]; theirs: Line[] } {
  const [a, b] = [mine.split('\n'), theirs.split('\n')];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const common = longest(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const marked = (lines: readonly string[], side: 0 | 1): Line[] => {
    const same = new Set(common.map((pair) => pair[side] + head));
    return lines.map((text, at) => ({ text, differs: at >= head && at < lines.length - tail && !same.has(at) }));
  };
  return { mine: marked(a, 0), theirs: marked(b, 1) };
}

/** The longest run of lines that both have in the same order, as pairs of indexes. */
function longest(a: readonly string[], b: readonly string[]): [number, number][] {
  if (a.length > MOST || b.length > MOST) return [];
  const width = b.length + 1;
  const length = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number): number => length[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) length[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return pairs;
}
