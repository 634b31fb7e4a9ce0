// One concept in the place of another: the choice, the strength, and both
// answers as they stream.
import {useEffect, useMemo, useState} from 'preact/hooks';
import {generate, type Swap} from '../api/calls';
import type {CheckpointConcepts} from '../api/types';
import {changed} from '../diff';
import {measuredAlphas, recommendedRange, type AlphaRange} from '../evaluation';
import {Failure} from '../parts/notice';
import {useCall} from '../parts/use_call';
import {certificateWords, number, receiptWords, spoken} from '../words';
import {NO_ANSWERS, textOf, withMessage, type Answer, type Answers} from './answers';

const STEP = 0.05;
const SETTLE_MS = 200;  // Of a slider that moves.

function Strength({alpha, range, onAlpha}: {
  alpha: number; range: AlphaRange | undefined; onAlpha: (alpha: number) => void;
}) {
  const most = Math.max(3, Math.ceil((range?.high ?? 1) * 1.5));
  const inside = range && alpha >= range.low - 1e-9 && alpha <= range.high + 1e-9;
  return (
    <div class="strength">
      <label for="alpha">Strength (alpha) <output for="alpha">{number(alpha)}</output></label>
      <div class="slider">
        {range && (
          <span class="band" aria-hidden="true" style={{left: `${100 * range.low / most}%`, width: `${Math.max(1, 100 * (range.high - range.low) / most)}%`}} />
        )}
        <input id="alpha" type="range" min={0} max={most} step={STEP} value={alpha} aria-describedby="alpha-hint"
               onInput={(event) => onAlpha(Number(event.currentTarget.value))} />
      </div>
      <p id="alpha-hint" class="hint">
        {range ? `Recommended: ${number(range.low)} to ${number(range.high)}, ${range.why}.` : 'This checkpoint recommends no strength.'}
        {range && !inside && (alpha < range.low ? ' Below it, the answer often stays as it is.' : ' Above it, answers begin to break.')}
      </p>
    </div>
  );
}

function Column({title, kind, answer, marks, running}: {
  title: string; kind: string; answer: Answer; marks: boolean[]; running: boolean;
}) {
  return (
    <article class={`answer ${kind}`} aria-label={title} data-finish={answer.finish}>
      <h3>{title}</h3>
      <p class="text" data-text={textOf(answer)}>
        {answer.tokens.map((token, i) => {
          const text = i === 0 ? token.text.trimStart() : token.text;
          return marks[i] && text !== '' ? <mark key={i}>{text}</mark> : text;
        })}
        {answer.tail}
        {running && answer.finish === '' && <span class="caret" aria-hidden="true" />}
      </p>
    </article>
  );
}

export function Steer({asked, ready, of, top, onPick, onAlpha}: {
  asked: Swap; ready: boolean; of: CheckpointConcepts; top: string;
  onPick: (source: string, target: string) => void; onAlpha: (alpha: number) => void;
}) {
  const {question, source, target, alpha} = asked;
  const call = useCall();
  const [answers, setAnswers] = useState<Answers>(NO_ANSWERS);
  const [answered, setAnswered] = useState('');  // For whom both answers are there.
  const concepts = of.concepts ?? [];
  const wanted = concepts.find((one) => one.name === target);
  const range = useMemo(
    () => recommendedRange(of.checkpoint, wanted, measuredAlphas(of.evaluationJson, target)), [of, target]);
  const start = () => call.run(async (signal) => {
    setAnswers(NO_ANSWERS);
    setAnswered('');
    for await (const message of generate(asked, of.checkpoint?.name ?? '', signal)) {
      if (signal.aborted) return;
      setAnswers((before) => withMessage(before, message));
    }
    setAnswered(`${source}>${target}@${alpha}`);
  });
  // What is chosen is asked at once; a slider, when it rests.
  useEffect(() => {
    call.stop();
    setAnswers(NO_ANSWERS);
    setAnswered('');
    if (!ready) return;
    const settled = setTimeout(start, SETTLE_MS);
    return () => clearTimeout(settled);
  }, [question, source, target, alpha, ready]);

  const {baseline, steered} = answers;
  const [, marks] = useMemo(
    () => changed(baseline.tokens.map((one) => one.id), steered.tokens.map((one) => one.id)), [answers]);
  const running = call.phase === 'running';
  const name = (value: string) => spoken(value);
  return (
    <section class="card steer" aria-labelledby="steer-title" aria-busy={running} data-phase={call.phase} data-answered={answered}>
      <h2 id="steer-title">Put another concept in its place</h2>
      <div class="choice">
        <p class="field">
          <label for="source">Instead of</label>
          <select id="source" value={source} onChange={(event) => onPick(event.currentTarget.value || top, target)}>
            <option value="">{top ? `what is on top (${name(top)})` : 'what is on top'}</option>
            {concepts.filter((one) => one.name !== target && one.name !== top)
              .map((one) => <option key={one.name} value={one.name}>{name(one.name)}</option>)}
          </select>
        </p>
        <p class="field">
          <label for="target">use</label>
          <select id="target" value={target} onChange={(event) => onPick(source || top, event.currentTarget.value)}>
            <option value="">choose a concept …</option>
            {concepts.filter((one) => one.name !== (source || top))
              .map((one) => <option key={one.name} value={one.name}>{name(one.name)}</option>)}
          </select>
        </p>
        <Strength alpha={alpha} range={range} onAlpha={onAlpha} />
      </div>
      {target === '' ? <p class="empty">Choose a concept, and both answers stream in here.</p> : (
        <>
          <div class="columns">
            <Column title="Baseline" kind="is-baseline" answer={baseline} marks={[]} running={running} />
            <Column title={`Steered to ${name(target)}`} kind="is-steered" answer={steered} marks={marks} running={running} />
          </div>
          <p class="row actions">
            {running ? <button type="button" onClick={call.stop}>Stop</button> :
              <button type="button" onClick={start} disabled={!ready}>Ask again</button>}
            <span role="status" class="hint">
              {call.phase === 'stopped' && 'Stopped; the server has freed what it held.'}
              {call.phase === 'done' && 'Marked: words that only the steered answer has.'}
              {running && 'The model is answering …'}
            </span>
          </p>
          <Failure of={call.failure} />
          <div class="pair facts">
            <div class="fact receipt">
              <h3>What was changed</h3>
              {answers.receipts.length === 0 ? <p class="hint">The receipt comes with the end of the answer.</p> :
                answers.receipts.map((receipt, i) => <ul key={i}>{receiptWords(receipt).map((line) => <li key={line}>{line}</li>)}</ul>)}
            </div>
            <div class="fact certificate">
              <h3>Certificate of {name(target)}</h3>
              <ul>{certificateWords(wanted?.certificate).map((line) => <li key={line}>{line}</li>)}</ul>
            </div>
          </div>
        </>
      )}
    </section>
  );
}
