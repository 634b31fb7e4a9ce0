// The question: typed, or one of the concepts' examples.
import {useEffect, useState} from 'preact/hooks';
import type {Concept} from '../api/types';
import {spoken} from '../words';

export function Ask({concepts, question, busy, onAsk}: {
  concepts: Concept[]; question: string; busy: boolean; onAsk: (question: string) => void;
}) {
  const [draft, setDraft] = useState(question);
  useEffect(() => setDraft(question), [question]);
  const examples = concepts.filter((one) => one.example);
  return (
    <section class="card ask" aria-labelledby="ask-title">
      <h2 id="ask-title" class="hidden">Question</h2>
      <form onSubmit={(event) => { event.preventDefault(); if (draft.trim() !== '') onAsk(draft.trim()); }}>
        <label for="question">Your question</label>
        <div class="row">
          <input id="question" type="text" value={draft} autocomplete="off" spellcheck={false}
                 onInput={(event) => setDraft(event.currentTarget.value)} />
          <button type="submit" class="primary" disabled={draft.trim() === ''} aria-busy={busy}>Read</button>
        </div>
      </form>
      {examples.length > 0 && (
        <ul class="chips" aria-label="Examples">
          {examples.map((one) => (
            <li key={one.name}>
              <button type="button" aria-pressed={one.example === question} onClick={() => onAsk(one.example!)}>
                <span>{spoken(one.name)}</span>{one.example}
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
