// Every slot at every token, as a table whose cells are coloured by the slot's
// value.
import type {InspectSlotsResponse} from '../api/types';
import {number, pieceText, spoken} from '../words';

const shown = (piece: string): string => piece.replaceAll('\n', '↵').replaceAll(' ', '·');

export function HeatMap({seen}: {seen: InspectSlotsResponse}) {
  const tokens = seen.tokens ?? [];
  const concepts = seen.concepts ?? [];
  return (
    <section class="card heat" aria-labelledby="heat-title">
      <h2 id="heat-title">Over the tokens</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Slot values at every token">
        <table>
          <thead>
            <tr>
              <td />
              {tokens.map((token, i) => <th scope="col" key={i}><span>{shown(pieceText(token.piece))}</span></th>)}
            </tr>
          </thead>
          <tbody>
            {concepts.map((label, row) => (
              <tr key={label.name} data-concept={label.name}>
                <th scope="row">{spoken(label.name)}</th>
                {tokens.map((token, i) => {
                  const value = token.reading?.values?.[row] ?? 0;
                  const share = Math.min(1, Math.max(0, value / (label.activeMean || 1)));
                  return (
                    <td key={i} data-value={value} title={`${spoken(label.name)} at “${pieceText(token.piece)}”: ${number(value)}`}>
                      <i style={{opacity: share}} /><span class="hidden">{number(value)}</span>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="hint">
        The stronger the colour, the closer to the slot’s usual strength. Swaps edit the last token; the columns before
        it show how its reading comes about.
      </p>
    </section>
  );
}
