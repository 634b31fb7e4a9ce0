// Messages of alignsae.v1 as JSON, as far as the page uses them. Fields with
// their default value are not sent: `?` is "may be absent", and an int64 is a
// string.

export interface HookPoint { kind?: string; layer?: number }
export interface AnswerInfo { requestId?: string; model?: string; checkpoint?: string; generationId?: string }

export interface Model {
  name?: string; version?: string; nLayer?: number; nHead?: number; dModel?: number;
  contextLength?: number; promptTemplate?: string; dtype?: string;
}
export interface Checkpoint {
  name?: string; hookPoint?: HookPoint; nFeatures?: number; nConcepts?: number;
  recommendedMode?: string; recommendedAlpha?: number; trainedPositions?: string;
}
export interface Limits { maxPromptBytes?: number; maxNewTokens?: number; maxSweepCells?: number }
export interface GetModelResponse {
  model?: Model; checkpoints?: Checkpoint[]; limits?: Limits; serverVersion?: string; bundle?: string;
}

export interface MeasuredSwap {
  tries?: string; successes?: string; rate?: number; low?: number; high?: number;
  wordings?: number; people?: number;
}
export interface WriteCertificate {
  cosine?: number; writtenShare?: number; predictedAlpha?: number; measuredSwap?: MeasuredSwap;
}
export interface Concept {
  name: string; slot?: number; description?: string; example?: string;
  activeMean?: number; threshold?: number; certificate?: WriteCertificate;
}
export interface CheckpointConcepts { checkpoint?: Checkpoint; concepts?: Concept[]; evaluationJson?: string }
export interface ListConceptsResponse { checkpoints?: CheckpointConcepts[] }

export interface ConceptLabel { name: string; slot?: number; activeMean?: number; threshold?: number }
export interface ConceptReading {
  position?: number; values?: number[]; probabilities?: number[];
  topConcept?: string; topIndex?: number; margin?: number; bound?: boolean;
  outside?: boolean; outsideRatio?: number; outsideAbsence?: string;
}
export interface TokenSlots { tokenId?: number; piece?: string; reading?: ConceptReading }
export interface InspectSlotsResponse {
  concepts?: ConceptLabel[]; tokens?: TokenSlots[]; hookPoint?: HookPoint;
}

export interface PositionEffect {
  position?: number; residualNorm?: number; changeNorm?: number;
  sourceSlot?: number; sourceConcept?: string; sourceBefore?: number; sourceAfter?: number;
  targetBefore?: number; targetAfter?: number;
}
export interface InterventionReceipt {
  mode?: string; checkpoint?: string; targetConcept?: string; sourceConcept?: string;
  hookPoint?: HookPoint; alpha?: number; positionsApplied?: string; effects?: PositionEffect[];
}
export interface Token { id?: number; piece?: string; logprob?: number; position?: number }
export interface ArmResult {
  arm?: string; text?: string; tokens?: Token[]; finishReason?: string; generatedTokenCount?: number;
  receipts?: InterventionReceipt[]; promptReading?: ConceptReading; totalLogprob?: number;
}
export interface GenerateResponse {
  started?: {info?: AnswerInfo; promptTokenIds?: number[]};
  token?: {arm?: string; token?: Token; text?: string};
  armFinished?: {arm?: string; textTail?: string; finishReason?: string};
  summary?: {arms?: ArmResult[]; promptTokenCount?: number; info?: AnswerInfo};
}
export interface SweepCell {
  index?: number; baseline?: boolean; target?: string; alphaIndex?: number; alpha?: number; result?: ArmResult;
}
export interface SweepAlphaResponse {
  started?: {cellCount?: number}; cell?: SweepCell; summary?: {cellCount?: number};
}

export interface SwapMatrixCell {
  index?: number; baseline?: boolean; source?: string; target?: string; result?: ArmResult;
}
export interface SwapMatrixResponse {
  started?: {cellCount?: number}; cell?: SwapMatrixCell; summary?: {cellCount?: number};
}

export interface ConceptActivity {
  name: string; count?: string; meanRatio?: number; ratioCounts?: string[];
  topCount?: string; topShare?: number; steeredFrom?: string; steeredTo?: string;
}
export interface SteeredPair { source: string; target: string; count?: string }
export interface SlotActivity {
  prompts?: string; unbound?: string; unboundShare?: number; outside?: string; outsideShare?: number;
  concepts?: ConceptActivity[]; steered?: SteeredPair[];
}
export interface WatchSlotsResponse {
  info?: AnswerInfo; ratioBounds?: number[]; seconds?: number;
  recent?: SlotActivity; total?: SlotActivity; reference?: {name: string; share?: number}[];
}
