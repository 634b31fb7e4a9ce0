// Numbers, names and failures as people read them.
import {RpcError} from './api/connect';
import type {HookPoint, InterventionReceipt, WriteCertificate} from './api/types';

export const number = (value: number | undefined, digits = 2): string => (value ?? 0).toFixed(digits);
export const percent = (share: number | undefined): string => {
  const value = 100 * (share ?? 0);
  return `${value.toFixed(value > 0 && value < 10 ? 1 : 0)} %`;
};
export const count = (value: string | number | undefined): number => Number(value ?? 0);
export const grouped = (value: number): string => value.toLocaleString('en');
export const plural = (n: number, one: string, many = `${one}s`): string => `${grouped(n)} ${n === 1 ? one : many}`;
// "birth_city" as it is read: "birth city".
export const spoken = (name: string): string => name.replaceAll('_', ' ');

export const hookName = (hook: HookPoint | undefined): string =>
  `${(hook?.kind ?? '').replace('HOOK_KIND_', '').toLowerCase()}[${hook?.layer ?? 0}]`;

// Bytes of a token, which may be a part of a character.
export function pieceText(base64: string | undefined): string {
  const bytes = Uint8Array.from(atob(base64 ?? ''), (char) => char.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}

// What a reader is told of a failure, as one sentence or two.
export function failureText(thrown: unknown): string {
  if (!(thrown instanceof RpcError)) return `The page itself failed: ${String(thrown)}.`;
  const server = `${thrown.message.charAt(0).toUpperCase()}${thrown.message.slice(1)}`;
  const whole = /[.!?]$/.test(server) ? server : `${server}.`;
  switch (thrown.code) {
    case 'lost':
      return `${whole} It may be restarting; the page looks for it every two seconds.`;
    case 'unavailable':
      return thrown.reason === 'STARTING' ? 'The server is still loading its model; it will be ready soon.' :
        `The server takes no new calls now. ${whole}`;
    case 'resource_exhausted':
      return `The server is busy. ${whole}`;
    case 'unauthenticated':
      return `The server wants to know who asks. ${whole}`;
    case 'permission_denied':
      return `Who asks here may not do that. ${whole}`;
    case 'deadline_exceeded':
      return `It took too long, so the server stopped. ${whole}`;
    default:
      return whole;
  }
}

const times = (alpha: number | undefined): string => `${number(alpha)} × its usual strength`;

// What a swap did, sentence by sentence.
export function receiptWords(receipt: InterventionReceipt): string[] {
  const effects = receipt.effects ?? [];
  const applied = count(receipt.positionsApplied);
  const first = effects[0];
  if (first === undefined || applied === 0) return ['Nothing was changed: the edit met no position.'];
  const target = spoken(receipt.targetConcept ?? '');
  const words = [];
  if (first.sourceConcept) {
    words.push(`The slot of “${spoken(first.sourceConcept)}” was cleared: ` +
      `it read ${number(first.sourceBefore)}, and reads ${number(first.sourceAfter)} now.`);
  } else {
    words.push('No other slot was cleared, because the target was on top already.');
  }
  words.push(`“${target}” was written at ${times(receipt.alpha)}: ` +
    `its slot read ${number(first.targetBefore)}, and reads ${number(first.targetAfter)} now.`);
  const where = `token ${(first.position ?? 0) + 1}`;
  words.push(`${applied === 1 ? `One position was edited, ${where}` : `${applied} positions were edited, from ${where} on`}, ` +
    `in ${hookName(receipt.hookPoint)}; the change${applied === 1 ? '' : ' there'} has ` +
    `${percent((first.changeNorm ?? 0) / (first.residualNorm || 1))} of the residual’s length.`);
  return words;
}

export function certificateWords(certificate: WriteCertificate | undefined): string[] {
  if (certificate === undefined) return ['This checkpoint does not certify how well its slots write.'];
  const words = [
    `Its slot writes ${percent(certificate.writtenShare)} of what a question about it changes in the model ` +
    `(cosine ${number(certificate.cosine, 3)}).`,
  ];
  if (certificate.predictedAlpha !== undefined) {
    words.push(`From that, a strength of ${number(certificate.predictedAlpha)} is predicted.`);
  }
  const swap = certificate.measuredSwap;
  if (swap === undefined) {
    words.push('No swaps to it were measured.');
  } else {
    words.push(`Measured: ${grouped(count(swap.successes))} of ${grouped(count(swap.tries))} swaps gave its whole ` +
      `answer (${number(swap.rate, 3)}; 95 % interval ${number(swap.low, 3)} to ${number(swap.high, 3)}), ` +
      `on ${plural(swap.wordings ?? 0, 'wording')} that the checkpoint never saw` +
      (swap.people ? ` and ${plural(swap.people, 'person', 'people')}.` : '.'));
  }
  return words;
}
