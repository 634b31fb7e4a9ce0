// Every concept in the place of every other one, for one question: a Swap for
// each ordered pair, two at a time.
import {useState} from 'preact/hooks';
import {swap} from '../api/calls';
import type {CheckpointConcepts} from '../api/types';
import {changedShare} from '../diff';
import {Failure} from '../parts/notice';
import {useCall} from '../parts/use_call';
import {percent, spoken} from '../words';

const MOST_CONCEPTS = 10;  // Of them, all pairs: 90 calls.
const AT_ONCE = 2;

interface Cell { text: string; changed: number }
const keyOf = (source: string, target: string): string => `${source}\n${target}`;

export function Matrix({question, alpha, of, top}: {
  question: string; alpha: number; of: CheckpointConcepts; top: string;
}) {
  const call = useCall();
  const [cells, setCells] = useState<Record<string, Cell>>({});
  const [asked, setAsked] = useState(alpha);
  const names = (of.concepts ?? []).map((one) => one.name).slice(0, MOST_CONCEPTS);
  const pairs = names.flatMap((source) => names.filter((target) => target !== source).map((target) => ({source, target})));
  const start = () => call.run(async (signal) => {
    setCells({});
    setAsked(alpha);
    const left = [...pairs];
    const work = async () => {
      for (let pair = left.shift(); pair !== undefined && !signal.aborted; pair = left.shift()) {
        const {source, target} = pair;
        const answer = await swap({question, source, target, alpha}, of.checkpoint?.name ?? '', signal)
          .catch((thrown: unknown) => { left.length = 0; throw thrown; });
        if (signal.aborted) return;
        const changed = changedShare(answer.baseline, answer.steered);
        setCells((before) => ({...before, [keyOf(source, target)]: {text: answer.steered?.text?.trim() ?? '', changed}}));
      }
    };
    await Promise.all(Array.from({length: AT_ONCE}, work));
  });
  const running = call.phase === 'running';
  const done = Object.keys(cells).length;
  return (
    <section class="card matrix" aria-labelledby="matrix-title" aria-busy={running} data-phase={call.phase} data-cells={done}>
      <h2 id="matrix-title">All pairs</h2>
      <p class="row actions">
        {running ? <button type="button" onClick={call.stop}>Stop</button> :
          <button type="button" onClick={start}>Swap every pair</button>}
        <span role="status" class="hint">
          {call.phase === 'idle' && `Asks ${pairs.length} swaps, ${AT_ONCE} at a time.`}
          {running && `${done} of ${pairs.length} swaps`}
          {call.phase === 'done' && `All ${done} swaps, at strength ${asked.toFixed(2)}.`}
          {call.phase === 'stopped' && `Stopped after ${done} of ${pairs.length}.`}
          {names.length < (of.concepts?.length ?? 0) && ` Of the first ${MOST_CONCEPTS} concepts only.`}
        </span>
      </p>
      <Failure of={call.failure} />
      {done > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Steered answers by cleared and written concept">
          <table>
            <thead>
              <tr><th scope="col">instead of ↓ use →</th>{names.map((name) => <th scope="col" key={name}>{spoken(name)}</th>)}</tr>
            </thead>
            <tbody>
              {names.map((source) => (
                <tr key={source} class={source === top ? 'is-top' : ''}>
                  <th scope="row">{spoken(source)}</th>
                  {names.map((target) => {
                    const cell = cells[keyOf(source, target)];
                    if (source === target) return <td key={target} class="same"><span class="hidden">the same concept</span></td>;
                    return (
                      <td key={target} title={cell && `${percent(cell.changed)} of it changed`} data-pair={`${source}>${target}`}>
                        {cell && <i style={{opacity: 0.16 * cell.changed}} />}<span>{cell?.text ?? ''}</span>
                      </td>
                    );
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {done > 0 && top && (
        <p class="hint">The row of “{spoken(top)}” takes out what the model uses; the other rows clear slots that are nearly silent here.</p>
      )}
    </section>
  );
}
