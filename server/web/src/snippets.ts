// The swap on the page as commands that do the same. A token is named, never
// shown; Python and the command line take ALIGNSAE_TOKEN by themselves.
import {MAX_NEW_TOKENS, swapRequest, type Swap} from './api/calls';
import {hasToken} from './api/connect';

// For a POSIX shell.
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

export function asCurl(swap: Swap, checkpoint: string, origin: string): string {
  const who = hasToken() ? ' -H "Authorization: Bearer $ALIGNSAE_TOKEN"' : '';
  return `curl -s${who} ${origin}/alignsae.v1.SteeringService/Swap \\
  --json ${quoted(JSON.stringify(swapRequest(swap, checkpoint)))}`;
}

export function asPython({question, source, target, alpha}: Swap, checkpoint: string, host: string): string {
  const words = [JSON.stringify(question), `to=${JSON.stringify(target)}`];
  if (source !== '') words.push(`source=${JSON.stringify(source)}`);
  words.push(`alpha=${alpha}`, `checkpoint=${JSON.stringify(checkpoint)}`, `max_new_tokens=${MAX_NEW_TOKENS}`);
  return `import alignsae

with alignsae.Client("${host}:50051") as client:
    answer = client.swap(
        ${words.join(',\n        ')})
    print(answer.baseline.text, "->", answer.steered.text)`;
}

export function asCli({question, source, target, alpha}: Swap, checkpoint: string, host: string): string {
  return `alignsae --server ${host}:50051 swap ${quoted(question)} \\
  ${source === '' ? '' : `--from ${source} `}--to ${target} --alpha ${alpha} --checkpoint ${checkpoint} -n ${MAX_NEW_TOKENS}`;
}
