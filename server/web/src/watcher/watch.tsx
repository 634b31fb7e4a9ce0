// The watcher's view: what the slots do on everybody's prompts, now. Counts only:
// the server tells no text, and not whose a prompt was.
import {useMemo} from 'preact/hooks';
import uPlot, {type AlignedData} from 'uplot';
import type {CheckpointConcepts} from '../api/types';
import {axis, Chart, colour} from '../parts/chart';
import {Failure} from '../parts/notice';
import {count, grouped, number, percent, plural, spoken} from '../words';
import {driftOf, ENOUGH, recentSwaps, sumOf, type ConceptSum, type Drift, type RecentSwap} from './sums';
import {useWatch, WINDOW, type Second} from './use_watch';

const MINUTE = 60;
const MOST_SWAPS = 12;

function Tile({title, value, note}: {title: string; value: string; note: string}) {
  return <div class="tile"><dt>{title}</dt><dd>{value}<small>{note}</small></dd></div>;
}

function driftWord({psi, prompts}: Drift): string {
  if (psi === undefined) return prompts === 0 ? 'no prompts yet' : 'no stored reference';
  if (prompts < ENOUGH) return `of ${plural(prompts, 'prompt')}; ${ENOUGH} are enough`;
  if (psi < 0.1) return 'little has moved';
  return psi <= 0.25 ? 'something has moved' : 'much has moved';
}

const rateAxes = (): uPlot.Axis[] => [
  axis({size: 32, values: (_, ticks) => ticks.map((tick) => `${tick} s`)}),
  axis({size: 36, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]}),
];

const RATE: Omit<uPlot.Options, 'width' | 'height'> = {
  legend: {show: false}, cursor: {show: false},
  scales: {x: {time: false, range: [-WINDOW / 2, 0]}, y: {range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(5, (high ?? 0) * 1.1)]}},
  axes: rateAxes(),
  series: [
    {}, {stroke: () => colour('--baseline'), width: 2, fill: () => colour('--baseline-soft'), points: {show: false}},
    {stroke: () => colour('--steered'), width: 2, points: {show: false}},
  ],
};

function ratesOf(seconds: Second[]): AlignedData {
  const newest = seconds.at(-1)?.at ?? 0;
  return [
    seconds.map(({at}) => (at - newest) / 1000),
    seconds.map(({message}) => count(message.recent?.prompts)),
    seconds.map(({message}) => (message.recent?.steered ?? []).reduce((all, pair) => all + count(pair.count), 0)),
  ];
}

function Histogram({of, bounds}: {of: ConceptSum; bounds: number[]}) {
  const most = Math.max(1, ...of.histogram);
  return (
    <span class="histogram" role="img"
          aria-label={`Slot value over usual, ${plural(of.count, 'reading')}: mean ${number(of.mean)}`}>
      {of.histogram.map((value, i) => (
        <i key={i} style={{height: `${Math.round(100 * value / most)}%`}}
           title={`${bounds[i] === undefined ? `above ${bounds.at(-1)}` : `up to ${bounds[i]}`}: ${value}`} />
      ))}
    </span>
  );
}

function Share({now, reference}: {now: number; reference?: number}) {
  return (
    <span class="share">
      <span class="bar" aria-hidden="true">
        <i style={{width: `${100 * now}%`}} />
        {reference !== undefined && <b style={{left: `${100 * reference}%`}} />}
      </span>
      {percent(now)}
    </span>
  );
}

function LiveSlots({concepts, prompts, bounds}: {concepts: ConceptSum[]; prompts: number; bounds: number[]}) {
  return (
    <section class="card live" aria-labelledby="live-title">
      <h2 id="live-title">Slots, last minute</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Activity by concept">
        <table class="figures">
          <thead>
            <tr>
              <th scope="col">concept</th><th scope="col">on top</th><th scope="col">share</th>
              <th scope="col">mean</th><th scope="col">spread</th>
              <th scope="col">cleared</th><th scope="col">written</th>
            </tr>
          </thead>
          <tbody>
            {concepts.map((one) => (
              <tr key={one.name} data-concept={one.name} data-top={one.top} data-count={one.count}>
                <th scope="row">{spoken(one.name)}</th>
                <td>{grouped(one.top)}</td>
                <td><Share now={prompts ? one.top / prompts : 0} /></td>
                <td>{number(one.mean)}</td>
                <td><Histogram of={one} bounds={bounds} /></td>
                <td>{grouped(one.from)}</td><td>{grouped(one.to)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="hint">Mean and spread are of the slot’s value over its usual strength, at the last token of every prompt.</p>
    </section>
  );
}

function DriftCard({drift}: {drift: Drift}) {
  return (
    <section class="card drift" aria-labelledby="drift-title">
      <h2 id="drift-title">Drift</h2>
      <p class="verdict"><strong>{drift.psi === undefined ? '–' : number(drift.psi)}</strong> PSI, {driftWord(drift)}</p>
      {drift.shares.length > 0 && (
        <table class="figures">
          <thead><tr><th scope="col">on top</th><th scope="col">now</th><th scope="col">reference</th></tr></thead>
          <tbody>
            {drift.shares.map(({name, now, reference}) => (
              <tr key={name}>
                <th scope="row">{name === 'none' ? 'none bound' : spoken(name)}</th>
                <td><Share now={now} reference={reference} /></td>
                <td>{percent(reference)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="hint">
        Of the last {WINDOW / MINUTE} minutes that this page has watched, against the bundle’s test prompts. Below 0.1 little has moved,
        above 0.25 much.
      </p>
    </section>
  );
}

function Swaps({swaps}: {swaps: RecentSwap[]}) {
  return (
    <section class="card swaps" aria-labelledby="swaps-title">
      <h2 id="swaps-title">Recent swaps</h2>
      {swaps.length === 0 ? <p class="empty">Nobody has steered since this page began to watch.</p> : (
        <ol>
          {swaps.map((one) => (
            <li key={`${one.at} ${one.source} ${one.target}`}>
              <time dateTime={new Date(one.at).toISOString()}>{new Date(one.at).toLocaleTimeString()}</time>
              <span>{spoken(one.source)} <span aria-hidden="true">→</span><span class="hidden">to</span> <strong>{spoken(one.target)}</strong></span>
              {one.count > 1 && <small>{one.count} times</small>}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

export function Watch({of}: {of: CheckpointConcepts}) {
  const {seconds, failure} = useWatch(of.checkpoint?.name ?? '');
  const minute = useMemo(() => sumOf(seconds.slice(-MINUTE).map((second) => second.message.recent)), [seconds]);
  const window = useMemo(() => sumOf(seconds.map((second) => second.message.recent)), [seconds]);
  const rates = useMemo(() => ratesOf(seconds), [seconds]);
  const newest = seconds.at(-1)?.message;
  const drift = driftOf(window, newest?.reference);
  const steered = minute.concepts.reduce((all, one) => all + one.to, 0);
  return (
    <div class="watch" data-seconds={seconds.length}>
      <h1>What the slots do now</h1>
      <p class="lead">Everybody’s prompts, counted once a second by the server. It tells no text, and not whose a prompt was.</p>
      <Failure of={failure} />
      <dl class="tiles">
        <Tile title="Prompts" value={grouped(minute.prompts)} note="in the last minute" />
        <Tile title="No concept bound" value={minute.prompts ? percent(minute.unbound / minute.prompts) : '–'} note="of them" />
        {minute.outside !== undefined && (
          <Tile title="Outside the SAE" value={minute.prompts ? percent(minute.outside / minute.prompts) : '–'} note="of them" />
        )}
        <Tile title="Steered" value={grouped(steered)} note="times in the last minute" />
        <Tile title="Since the start" value={grouped(count(newest?.total?.prompts))} note="prompts" />
      </dl>
      <section class="card" aria-labelledby="rate-title">
        <h2 id="rate-title">Second by second</h2>
        <Chart options={RATE} data={rates} label="Prompts and interventions of each second; the tiles above have the sums." />
        <ul class="legend" aria-label="Lines"><li class="is-baseline">prompts</li><li class="is-steered">steered</li></ul>
      </section>
      <LiveSlots concepts={minute.concepts} prompts={minute.prompts} bounds={newest?.ratioBounds ?? []} />
      <div class="pair">
        <DriftCard drift={drift} />
        <Swaps swaps={recentSwaps(seconds, MOST_SWAPS)} />
      </div>
    </div>
  );
}
