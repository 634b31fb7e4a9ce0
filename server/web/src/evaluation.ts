// What the bundle's stored evaluation says of strengths: how many swaps to a
// concept succeeded at each. The evaluation is free form; what is not there is
// left out.
import type {Checkpoint, Concept} from './api/types';

export interface MeasuredAlpha { alpha: number; success: number }

interface Curve { alpha?: number; whole?: number; by_target?: Record<string, number> }
interface Evaluation { test?: {swap?: {alpha_curve?: Curve[]}} }

export function measuredAlphas(evaluationJson: string | undefined, target: string): MeasuredAlpha[] {
  let evaluation: Evaluation;
  try {
    evaluation = JSON.parse(evaluationJson || '{}') as Evaluation;
  } catch {
    return [];
  }
  return (evaluation.test?.swap?.alpha_curve ?? [])
    .map(({alpha, whole, by_target}) => ({alpha, success: by_target?.[target] ?? whole}))
    .filter((point): point is MeasuredAlpha =>
      typeof point.alpha === 'number' && typeof point.success === 'number')
    .sort((a, b) => a.alpha - b.alpha);
}

export interface AlphaRange { low: number; high: number; why: string }

const NEARLY = 0.95;  // Of the best success.

// Strengths that are worth trying: the measured ones that do nearly as well as
// the best, else what the certificate predicts.
export function recommendedRange(
  checkpoint: Checkpoint | undefined, concept: Concept | undefined, measured: MeasuredAlpha[],
): AlphaRange | undefined {
  const best = Math.max(0, ...measured.map((point) => point.success));
  const good = measured.filter((point) => best > 0 && point.success >= NEARLY * best).map((point) => point.alpha);
  if (good.length > 0) {
    return {low: Math.min(...good), high: Math.max(...good), why: 'where measured swaps succeed nearly as often as at best'};
  }
  const predicted = concept?.certificate?.predictedAlpha;
  if (predicted !== undefined && predicted > 0) {
    return {low: predicted, high: 1.5 * predicted, why: 'from what the certificate predicts'};
  }
  const recommended = checkpoint?.recommendedAlpha;
  if (recommended) return {low: recommended, high: recommended, why: 'as the checkpoint recommends'};
  return undefined;
}

// What a swap takes when the visitor says nothing; as the server does.
export const usualAlpha = (checkpoint: Checkpoint | undefined): number =>
  checkpoint?.recommendedMode === 'INTERVENTION_MODE_SWAP' && checkpoint.recommendedAlpha ?
    checkpoint.recommendedAlpha : 1;
