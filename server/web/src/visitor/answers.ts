// Both answers of a Generate as they come: pure, so that what is shown at any
// time follows from the messages alone.
import type {GenerateResponse, InterventionReceipt} from '../api/types';

export interface ShownToken { id: number; text: string; logprob: number }
export interface Answer { tokens: ShownToken[]; tail: string; finish: string }
export interface Answers { baseline: Answer; steered: Answer; receipts: InterventionReceipt[] }

const EMPTY: Answer = {tokens: [], tail: '', finish: ''};
export const NO_ANSWERS: Answers = {baseline: EMPTY, steered: EMPTY, receipts: []};

const armOf = (arm: string | undefined): 'baseline' | 'steered' => arm === 'ARM_STEERED' ? 'steered' : 'baseline';

export function withMessage(answers: Answers, message: GenerateResponse): Answers {
  if (message.token) {
    const {arm, token, text = ''} = message.token;
    const of = answers[armOf(arm)];
    const added = {id: token?.id ?? 0, text, logprob: token?.logprob ?? 0};
    return {...answers, [armOf(arm)]: {...of, tokens: [...of.tokens, added]}};
  }
  if (message.armFinished) {
    const {arm, textTail = '', finishReason = ''} = message.armFinished;
    return {...answers, [armOf(arm)]: {...answers[armOf(arm)], tail: textTail, finish: finishReason}};
  }
  if (message.summary) {
    const steered = message.summary.arms?.find((one) => one.arm === 'ARM_STEERED');
    return {...answers, receipts: steered?.receipts ?? []};
  }
  return answers;
}

export const textOf = ({tokens, tail}: Answer): string => tokens.map((token) => token.text).join('') + tail;
