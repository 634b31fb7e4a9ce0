// The swap on the page as a command that does the same.
import {useState} from 'preact/hooks';
import type {Swap} from '../api/calls';
import {asCli, asCurl, asPython} from '../snippets';

const KINDS = ['curl', 'Python', 'CLI'] as const;
type Kind = typeof KINDS[number];

export function Copy({asked, checkpoint}: {asked: Swap; checkpoint: string}) {
  const [kind, setKind] = useState<Kind>('curl');
  const [told, setTold] = useState('');
  const text = kind === 'curl' ? asCurl(asked, checkpoint, location.origin) :
    kind === 'Python' ? asPython(asked, checkpoint, location.hostname) : asCli(asked, checkpoint, location.hostname);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setTold('Copied.');
    } catch {
      setTold('The browser does not let the page copy; select the text instead.');
    }
  };
  return (
    <section class="card copy" aria-labelledby="copy-title">
      <h2 id="copy-title">Take it with you</h2>
      <div class="row actions">
        <div class="segments" role="group" aria-label="Copy as">
          {KINDS.map((one) => (
            <button type="button" key={one} aria-pressed={one === kind} onClick={() => { setKind(one); setTold(''); }}>{one}</button>
          ))}
        </div>
        <button type="button" onClick={copy}>Copy</button>
        <span role="status" class="hint">{told}</span>
      </div>
      <pre tabIndex={0} aria-label={`This swap as ${kind}`}><code>{text}</code></pre>
      {kind !== 'curl' && <p class="hint">50051 is the usual gRPC port; yours is what the server was given with <code>--listen</code>.</p>}
    </section>
  );
}
