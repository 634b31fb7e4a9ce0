// Concept slots at the last token, as bars: how strongly the model uses each.
// A row is dragged onto another one to be put in its place; its button does the
// same for the keyboard.
import {useState} from 'preact/hooks';
import type {Concept, ConceptReading, InspectSlotsResponse} from '../api/types';
import {number, percent, spoken} from '../words';

const MIME = 'application/x-alignsae-concept';

export function Slots({seen, reading, concepts, source, target, onPick}: {
  seen: InspectSlotsResponse; reading: ConceptReading; concepts: Concept[];
  source: string; target: string; onPick: (source: string, target: string) => void;
}) {
  const [over, setOver] = useState('');
  const rows = (seen.concepts ?? []).map((label, i) => {
    const usual = label.activeMean || 1;
    return {
      name: label.name, value: reading.values?.[i] ?? 0, share: (reading.values?.[i] ?? 0) / usual,
      bound: (label.threshold ?? 0) / usual, probability: reading.probabilities?.[i] ?? 0,
      about: concepts.find((one) => one.name === label.name)?.description ?? '',
    };
  });
  const most = Math.max(1.25, ...rows.map((row) => row.share));
  const top = reading.bound ? reading.topConcept : undefined;
  const drop = (event: DragEvent, onto: string) => {
    event.preventDefault();
    setOver('');
    const dragged = event.dataTransfer?.getData(MIME) ?? '';
    if (dragged !== '' && dragged !== onto) onPick(onto, dragged);
  };
  return (
    <section class="card slots" aria-labelledby="slots-title">
      <h2 id="slots-title">At the last token</h2>
      <p class="verdict" role="status">
        {top ? <>The model uses <strong>{spoken(top)}</strong>, {percent(reading.margin)} ahead of the next.</> :
          <>The model uses none of these concepts here.</>}
      </p>
      {reading.outside && (
        <p class="outside" role="note">
          This prompt is outside what the SAE knows: what it reads here means little.
        </p>
      )}
      <ul class="bars">
        {rows.map((row) => (
          <li key={row.name} draggable
              class={[row.name === top ? 'is-top' : '', row.name === target ? 'is-target' : '', over === row.name ? 'is-over' : ''].join(' ')}
              data-concept={row.name} data-value={row.value} title={row.about}
              onDragStart={(event) => event.dataTransfer?.setData(MIME, row.name)}
              onDragOver={(event) => { event.preventDefault(); setOver(row.name); }}
              onDragLeave={() => setOver('')} onDrop={(event) => drop(event, row.name)}>
            <span class="grip" aria-hidden="true">⠿</span>
            <span class="name">{spoken(row.name)}</span>
            <span class="bar" aria-hidden="true">
              <i style={{width: `${100 * Math.max(0, row.share) / most}%`}} />
              <b style={{left: `${100 * row.bound / most}%`}} />
            </span>
            <span class="value">
              <span class="hidden">slot value </span>{number(row.value)}
              <small> {percent(row.probability)}<span class="hidden"> probability</span></small>
            </span>
            <button type="button" class="use" disabled={row.name === source} aria-pressed={row.name === target}
                    onClick={() => onPick(source, row.name)}>
              {row.name === source ? 'in use' : row.name === target ? 'chosen' : 'use it'}
              <span class="hidden">: {spoken(row.name)}{row.name === source ? '' : ` instead of ${spoken(source || 'the top concept')}`}</span>
            </button>
          </li>
        ))}
      </ul>
      <p class="hint">
        Drag the concept that you want onto the one in use, or press its button. Bars are in units of the slot’s usual
        strength; the tick is where a concept counts as bound.
      </p>
    </section>
  );
}
