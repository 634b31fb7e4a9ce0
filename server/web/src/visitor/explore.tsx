// The visitor's view: ask, see the concept, swap it, see what changes.
import {useEffect, useState} from 'preact/hooks';
import {inspect, type Swap} from '../api/calls';
import type {CheckpointConcepts, InspectSlotsResponse} from '../api/types';
import {usualAlpha} from '../evaluation';
import {Failure} from '../parts/notice';
import {useCall} from '../parts/use_call';
import {Ask} from './ask';
import {Copy} from './copy';
import {Dose} from './dose';
import {HeatMap} from './heat_map';
import {Matrix} from './matrix';
import {Slots} from './slots';
import {Steer} from './steer';

export function Explore({of}: {of: CheckpointConcepts}) {
  const concepts = of.concepts ?? [];
  const checkpoint = of.checkpoint?.name ?? '';
  const [question, setQuestion] = useState(concepts.find((one) => one.example)?.example ?? '');
  const [seen, setSeen] = useState<InspectSlotsResponse>();
  const [source, setSource] = useState('');
  const [target, setTarget] = useState('');
  const [alpha, setAlpha] = useState(usualAlpha(of.checkpoint));
  const reading = useCall();

  const read = (asked: string) => {
    setQuestion(asked);
    reading.run(async (signal) => {
      const answer = await inspect(asked, checkpoint, signal);
      if (signal.aborted) return;
      setSeen(answer);
      setSource('');
      setTarget((was) => was === answer.tokens?.at(-1)?.reading?.topConcept ? '' : was);
    });
  };
  useEffect(() => { if (question !== '') read(question); }, []);

  const last = seen?.tokens?.at(-1)?.reading;
  const top = last?.bound ? last.topConcept ?? '' : '';
  const pick = (from: string, to: string) => {
    setSource(from === top ? '' : from);
    setTarget(to);
  };
  const asked: Swap = {question, source, target, alpha};
  const ready = seen !== undefined && reading.phase !== 'running' && target !== '';
  return (
    <>
      <h1>Which concept is the model using?</h1>
      <p class="lead">
        Ask a question, see the concept that the model answers with, and put another one in its place:
        the same question is then answered as if the other had been asked.
      </p>
      <Ask concepts={concepts} question={question} busy={reading.phase === 'running'} onAsk={read} />
      <Failure of={reading.failure} />
      {seen && last && (
        <div class="pair">
          <Slots seen={seen} reading={last} concepts={concepts} source={source || top} target={target} onPick={pick} />
          <HeatMap seen={seen} trained={of.checkpoint?.trainedPositions} />
        </div>
      )}
      {seen && last && (
        <Steer asked={asked} ready={ready} of={of} top={top}
               onPick={pick} onAlpha={setAlpha} />
      )}
      {ready && (
        <>
          <Dose key={`${question}\n${source}\n${target}`} asked={asked} of={of} />
          <Copy asked={asked} checkpoint={checkpoint} />
        </>
      )}
      {seen && concepts.length > 1 && <Matrix key={question} question={question} alpha={alpha} of={of} top={top} />}
    </>
  );
}
