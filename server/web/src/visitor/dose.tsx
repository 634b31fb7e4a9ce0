// A dose-response curve: the same question at many strengths, drawn as the cells
// of the sweep arrive, over what was measured on the bundle's test questions.
import {useMemo, useState} from 'preact/hooks';
import uPlot, {type AlignedData} from 'uplot';
import {sweep, type Swap} from '../api/calls';
import type {ArmResult, CheckpointConcepts, SweepCell} from '../api/types';
import {changedShare} from '../diff';
import {measuredAlphas, type MeasuredAlpha} from '../evaluation';
import {axis, Chart, colour} from '../parts/chart';
import {Failure} from '../parts/notice';
import {useCall} from '../parts/use_call';
import {number, percent, spoken} from '../words';

const ALPHAS = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3];
const MOST_ALPHA = 3;

// How sure the model is of what it says: the mean probability of its tokens, geometric.
export const confidence = (result: ArmResult | undefined): number =>
  Math.exp((result?.totalLogprob ?? 0) / Math.max(1, result?.generatedTokenCount ?? 0));

interface Dose { alpha: number; changed: number; sure: number; text: string }

export function doses(cells: SweepCell[]): Dose[] {
  const baseline = cells.find((cell) => cell.baseline);
  if (baseline === undefined) return [];
  return cells.filter((cell) => !cell.baseline).map((cell) => ({
    alpha: cell.alpha ?? 0, changed: changedShare(baseline.result, cell.result),
    sure: confidence(cell.result), text: cell.result?.text ?? '',
  })).sort((a, b) => a.alpha - b.alpha);
}

// Points of both on one axis; where one has none it is null, and the line goes on.
function aligned(found: Dose[], measured: MeasuredAlpha[]): AlignedData {
  const alphas = [...new Set([...found, ...measured].map((point) => point.alpha))]
    .filter((alpha) => alpha <= MOST_ALPHA).sort((a, b) => a - b);
  const at = (alpha: number) => found.find((dose) => dose.alpha === alpha);
  return [
    alphas,
    alphas.map((alpha) => measured.find((point) => point.alpha === alpha)?.success ?? null),
    alphas.map((alpha) => at(alpha)?.sure ?? null),
    alphas.map((alpha) => at(alpha)?.changed ?? null),
  ];
}

const line = (name: string, extra: uPlot.Series = {}): uPlot.Series =>
  ({stroke: () => colour(name), width: 2, spanGaps: true, points: {size: 6, fill: () => colour(name)}, ...extra});

const OPTIONS: Omit<uPlot.Options, 'width' | 'height'> = {
  legend: {show: false}, cursor: {show: false},
  scales: {x: {time: false, range: [0, MOST_ALPHA]}, y: {range: [0, 1.04]}},
  axes: [axis({size: 32}), axis({size: 44, values: (_, ticks) => ticks.map((tick) => `${Math.round(100 * tick)} %`)})],
  series: [{}, line('--faint', {points: {show: false}, dash: [6, 5]}), line('--baseline', {width: 1.5}), line('--steered')],
};

export function Dose({asked, of}: {asked: Swap; of: CheckpointConcepts}) {
  const call = useCall();
  const [cells, setCells] = useState<SweepCell[]>([]);
  const [expected, setExpected] = useState(0);
  const measured = useMemo(() => measuredAlphas(of.evaluationJson, asked.target), [of, asked.target]);
  const found = useMemo(() => doses(cells), [cells]);
  const data = useMemo(() => aligned(found, measured), [found, measured]);
  const start = () => call.run(async (signal) => {
    setCells([]);
    setExpected(ALPHAS.length + 1);
    for await (const message of sweep(asked, of.checkpoint?.name ?? '', ALPHAS, signal)) {
      if (signal.aborted) return;
      if (message.started) setExpected(message.started.cellCount ?? 0);
      if (message.cell) setCells((before) => [...before, message.cell!]);
    }
  });
  const running = call.phase === 'running';
  return (
    <section class="card dose" aria-labelledby="dose-title" aria-busy={running} data-phase={call.phase} data-cells={cells.length}>
      <h2 id="dose-title">How much is enough</h2>
      <p class="row actions">
        {running ? <button type="button" onClick={call.stop}>Stop</button> :
          <button type="button" class="primary" onClick={start}>Sweep the strength</button>}
        <span role="status" class="hint">
          {call.phase === 'idle' && `Asks the same question at ${ALPHAS.length} strengths from 0 to ${MOST_ALPHA}.`}
          {running && `${cells.length} of ${expected} answers`}
          {call.phase === 'done' && `All ${cells.length} answers are there.`}
          {call.phase === 'stopped' && 'Stopped.'}
        </span>
      </p>
      <Failure of={call.failure} />
      {(cells.length > 0 || measured.length > 0) && (
        <>
          <Chart options={OPTIONS} data={data} label="Share of the answer that changed, and how sure the model is, by strength; the table below has the figures." />
          <ul class="legend" aria-label="Lines">
            <li class="is-steered">share of this answer that changed</li>
            <li class="is-baseline">how sure the model is of it</li>
            {measured.length > 0 && <li class="is-measured">swaps to {spoken(asked.target)} that succeeded on test questions</li>}
          </ul>
        </>
      )}
      {found.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Answers by strength">
          <table class="figures">
            <thead><tr><th scope="col">strength</th><th scope="col">changed</th><th scope="col">sure</th><th scope="col">answer</th></tr></thead>
            <tbody>
              {found.map((dose) => (
                <tr key={dose.alpha} data-alpha={dose.alpha}>
                  <th scope="row">{number(dose.alpha)}</th><td>{percent(dose.changed)}</td><td>{percent(dose.sure)}</td><td class="said">{dose.text.trim()}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
