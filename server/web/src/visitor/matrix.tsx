// Every concept in the place of every other one, for one question: the cells of a
// matrix, drawn as they arrive.
import {useState} from 'preact/hooks';
import {swapMatrix} from '../api/calls';
import type {CheckpointConcepts, SwapMatrixCell} from '../api/types';
import {changedShare} from '../diff';
import {Failure} from '../parts/notice';
import {useCall} from '../parts/use_call';
import {percent, spoken} from '../words';

const MOST_CONCEPTS = 10;  // Of them, all pairs: 90 cells.

export function Matrix({question, alpha, of, top}: {
  question: string; alpha: number; of: CheckpointConcepts; top: string;
}) {
  const call = useCall();
  const [cells, setCells] = useState<SwapMatrixCell[]>([]);
  const [asked, setAsked] = useState(alpha);
  const names = (of.concepts ?? []).map((one) => one.name).slice(0, MOST_CONCEPTS);
  const pairs = names.length * (names.length - 1);
  const start = () => call.run(async (signal) => {
    setCells([]);
    setAsked(alpha);
    for await (const {cell} of swapMatrix(question, names, alpha, of.checkpoint?.name ?? '', signal)) {
      if (signal.aborted) return;
      if (cell !== undefined) setCells((before) => [...before, cell]);
    }
  });
  const running = call.phase === 'running';
  const baseline = cells.find((cell) => cell.baseline)?.result;
  const swaps = cells.filter((cell) => !cell.baseline);
  const done = swaps.length;
  return (
    <section class="card matrix" aria-labelledby="matrix-title" aria-busy={running} data-phase={call.phase} data-cells={done}>
      <h2 id="matrix-title">All pairs</h2>
      <p class="row actions">
        {running ? <button type="button" onClick={call.stop}>Stop</button> :
          <button type="button" onClick={start}>Swap every pair</button>}
        <span role="status" class="hint">
          {call.phase === 'idle' && `Asks ${pairs} swaps, in one call.`}
          {running && `${done} of ${pairs} swaps`}
          {call.phase === 'done' && `All ${done} swaps, at strength ${asked.toFixed(2)}.`}
          {call.phase === 'stopped' && `Stopped after ${done} of ${pairs}.`}
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
                    const cell = swaps.find((one) => one.source === source && one.target === target);
                    const changed = cell && baseline ? changedShare(baseline, cell.result) : 0;
                    if (source === target) return <td key={target} class="same"><span class="hidden">the same concept</span></td>;
                    return (
                      <td key={target} title={cell && `${percent(changed)} of it changed`} data-pair={`${source}>${target}`}>
                        {cell && <i style={{opacity: 0.16 * changed}} />}<span>{cell?.result?.text?.trim() ?? ''}</span>
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
