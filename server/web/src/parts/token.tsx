// Who asks, for a server that wants to know: a bearer token, for this page alone.
import {useState} from 'preact/hooks';
import {setToken} from '../api/connect';

export function Token() {
  const [draft, setDraft] = useState('');
  const give = (event: Event) => {
    event.preventDefault();
    setToken(draft.trim());
    setDraft('');
    dispatchEvent(new Event('token-given'));
  };
  return (
    <form class="card token" onSubmit={give}>
      <label for="token">Your token</label>
      <div class="row">
        <input id="token" type="password" value={draft} autocomplete="off" spellcheck={false}
               onInput={(event) => setDraft(event.currentTarget.value)} />
        <button type="submit" class="primary" disabled={draft.trim() === ''}>Use it</button>
      </div>
      <p class="hint">It stays in this page until you close or reload it, and is stored nowhere.</p>
    </form>
  );
}
