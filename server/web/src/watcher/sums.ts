// What some seconds of counts add up to.
import type {SlotActivity} from '../api/types';
import {count} from '../words';
import type {Second} from './use_watch';

export interface ConceptSum {
  name: string; top: number; count: number; mean: number; histogram: number[]; from: number; to: number;
}
// `outside`: undefined where the checkpoint cannot tell.
export interface Sum { prompts: number; unbound: number; outside?: number; concepts: ConceptSum[] }

const add = (a: number[], b: number[]): number[] => b.map((value, i) => value + (a[i] ?? 0));

export function sumOf(activities: (SlotActivity | undefined)[]): Sum {
  const sum: Sum = {prompts: 0, unbound: 0, concepts: []};
  const places = new Map<string, ConceptSum>();
  for (const activity of activities) {
    sum.prompts += count(activity?.prompts);
    sum.unbound += count(activity?.unbound);
    if (activity?.outside !== undefined) sum.outside = (sum.outside ?? 0) + count(activity.outside);
    for (const one of activity?.concepts ?? []) {
      let of = places.get(one.name);
      if (of === undefined) {
        of = {name: one.name, top: 0, count: 0, mean: 0, histogram: [], from: 0, to: 0};
        places.set(one.name, of);
        sum.concepts.push(of);
      }
      const added = count(one.count);
      if (added > 0) of.mean = (of.mean * of.count + (one.meanRatio ?? 0) * added) / (of.count + added);
      of.count += added;
      of.top += count(one.topCount);
      of.histogram = add(of.histogram, (one.ratioCounts ?? []).map(count));
      of.from += count(one.steeredFrom);
      of.to += count(one.steeredTo);
    }
  }
  return sum;
}

export interface Share { name: string; now: number; reference: number }
export interface Drift { psi: number | undefined; prompts: number; shares: Share[] }

const LEAST_SHARE = 0.001;   // As in the recording rules of Prometheus.
export const ENOUGH = 100;   // Prompts, below which a drift says nothing.

// Population stability index of the top concepts' shares against the reference.
export function driftOf(sum: Sum, reference: {name: string; share?: number}[] | undefined): Drift {
  const tops = new Map(sum.concepts.map((one) => [one.name, one.top]));
  tops.set('none', sum.unbound);
  const shares = (reference ?? []).map(({name, share = 0}) => ({
    name, reference: share, now: sum.prompts === 0 ? 0 : (tops.get(name) ?? 0) / sum.prompts,
  }));
  if (shares.length === 0 || sum.prompts === 0) return {psi: undefined, prompts: sum.prompts, shares};
  const psi = shares.reduce((all, {now, reference: then}) => {
    const p = Math.max(now, LEAST_SHARE);
    const q = Math.max(then, LEAST_SHARE);
    return all + (p - q) * Math.log(p / q);
  }, 0);
  return {psi, prompts: sum.prompts, shares};
}

export interface RecentSwap { at: number; source: string; target: string; count: number }

// Newest first.
export function recentSwaps(seconds: Second[], most: number): RecentSwap[] {
  const found: RecentSwap[] = [];
  for (let i = seconds.length - 1; i >= 0 && found.length < most; --i) {
    const {at, message} = seconds[i]!;
    for (const pair of message.recent?.steered ?? []) {
      found.push({at, source: pair.source, target: pair.target, count: count(pair.count)});
    }
  }
  return found.slice(0, most);
}
