// Every slot at every token, as a table whose cells are coloured by the slot's
// value.
import type {InspectSlotsResponse} from '../api/types';
import {number, pieceText, spoken} from '../words';

const shown = (piece: string): string => piece.replaceAll('\n', '↵').replaceAll(' ', '·');

// `trained`: TrainedPositions of the checkpoint.
export function HeatMap({seen, trained}: {seen: InspectSlotsResponse; trained: string | undefined}) {
  const tokens = seen.tokens ?? [];
  const concepts = seen.concepts ?? [];
  const lastOnly = trained === 'TRAINED_POSITIONS_LAST';
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
                    <td key={i} class={lastOnly && i < tokens.length - 1 ? 'untrained' : ''} data-value={value} title={`${spoken(label.name)} at “${pieceText(token.piece)}”: ${number(value)}`}>
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
        The stronger the colour, the closer to the slot’s usual strength.{' '}
        {lastOnly ? 'The checkpoint was trained at the last token: the small cells before it are by-products.' :
          trained === 'TRAINED_POSITIONS_LABELLED' ? 'The checkpoint was trained at the tokens that its prompts name.' :
            trained === 'TRAINED_POSITIONS_SPAN' ? 'The checkpoint was trained at all tokens of the names that its prompts give.' :
            'Swaps edit the last token.'}
      </p>
    </section>
  );
}
