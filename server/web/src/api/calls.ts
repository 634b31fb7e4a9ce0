// The calls that the page makes.
import {stream, unary} from './connect';
import type {
  GenerateResponse, GetModelResponse, InspectSlotsResponse, ListConceptsResponse,
  SwapMatrixResponse, SweepAlphaResponse, WatchSlotsResponse,
} from './types';

// What a visitor asks the model to do; the snippets say the same.
export interface Swap {
  question: string;
  source: string;  // A concept's name, or empty: the one on top.
  target: string;
  alpha: number;
}

// An answer of the page is short: what a visitor reads at a glance.
export const MAX_NEW_TOKENS = 24;

// Raw text for a model that has no template.
let usesTemplate = true;
export const setUsesTemplate = (uses: boolean): void => { usesTemplate = uses; };
export const promptOf = (question: string): object => usesTemplate ? {question} : {text: question};

const named = (name: string): object | undefined => name === '' ? undefined : {name};

export const getModel = (signal?: AbortSignal): Promise<GetModelResponse> =>
  unary('ModelService/GetModel', {}, signal);

export const listConcepts = (signal?: AbortSignal): Promise<ListConceptsResponse> =>
  unary('ModelService/ListConcepts', {includeEvaluation: true}, signal);

export const inspect = (question: string, checkpoint: string, signal?: AbortSignal): Promise<InspectSlotsResponse> =>
  unary('ConceptService/InspectSlots', {prompt: promptOf(question), checkpoint, topK: 0}, signal);

export const swapRequest = ({question, source, target, alpha}: Swap, checkpoint: string): object => ({
  prompt: promptOf(question), checkpoint, source: named(source), target: {name: target}, alpha,
  generation: {maxNewTokens: MAX_NEW_TOKENS},
});

export const generate = (
  {question, source, target, alpha}: Swap, checkpoint: string, signal?: AbortSignal,
): AsyncGenerator<GenerateResponse> => stream('SteeringService/Generate', {
  prompt: promptOf(question), checkpoint, arms: 'ARM_SELECTION_BOTH',
  interventions: [{mode: 'INTERVENTION_MODE_SWAP', source: named(source), target: {name: target}, alpha}],
  generation: {maxNewTokens: MAX_NEW_TOKENS},
}, signal);

export const sweep = (
  {question, source, target}: Swap, checkpoint: string, alphas: number[], signal?: AbortSignal,
): AsyncGenerator<SweepAlphaResponse> => stream('SteeringService/SweepAlpha', {
  prompt: promptOf(question), checkpoint, source: named(source), targets: [{name: target}], alphas,
  generation: {maxNewTokens: MAX_NEW_TOKENS},
}, signal);

// Each of the concepts in the place of each other one.
export const swapMatrix = (
  question: string, names: string[], alpha: number, checkpoint: string, signal?: AbortSignal,
): AsyncGenerator<SwapMatrixResponse> => stream('SteeringService/SwapMatrix', {
  prompt: promptOf(question), checkpoint, concepts: names.map(named), alpha,
  generation: {maxNewTokens: MAX_NEW_TOKENS},
}, signal);

export const watch = (checkpoint: string, signal?: AbortSignal): AsyncGenerator<WatchSlotsResponse> =>
  stream('ConceptService/WatchSlots', {checkpoint}, signal);
