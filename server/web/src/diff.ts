// Which tokens of two answers are not common to both.

// For each item, whether it is outside the longest common subsequence.
export function changed(a: readonly number[], b: readonly number[]): [boolean[], boolean[]] {
  const width = b.length + 1;
  const length = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number): number => length[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; --i) {
    for (let j = b.length - 1; j >= 0; --j) {
      length[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const ofA = a.map(() => true);
  const ofB = b.map(() => true);
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) {
      ofA[i++] = false;
      ofB[j++] = false;
    } else if (at(i + 1, j) >= at(i, j + 1)) {
      ++i;
    } else {
      ++j;
    }
  }
  return [ofA, ofB];
}

// Share of an answer's tokens that the other one does not have, in [0, 1].
export function changedShare(baseline: readonly number[], steered: readonly number[]): number {
  const marks = changed(baseline, steered)[1];
  return marks.length === 0 ? Number(baseline.length > 0) : marks.filter(Boolean).length / marks.length;
}
