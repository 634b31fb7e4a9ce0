// Which tokens of two answers are not common to both.
import type {ArmResult} from './api/types';

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

// Of the tokens that say something: special ones, as the end of the text, have no bytes.
const idsOf = (arm: ArmResult | undefined): number[] =>
  (arm?.tokens ?? []).filter((token) => token.piece).map((token) => token.id ?? 0);

// Share of the second answer's tokens that the first one does not have, in [0, 1].
export function changedShare(first: ArmResult | undefined, second: ArmResult | undefined): number {
  const baseline = idsOf(first);
  const marks = changed(baseline, idsOf(second))[1];
  return marks.length === 0 ? Number(baseline.length > 0) : marks.filter(Boolean).length / marks.length;
}
