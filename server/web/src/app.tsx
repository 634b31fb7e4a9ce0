// The page: what is loaded, and its two views.
import {useEffect, useState} from 'preact/hooks';
import {RpcError} from './api/connect';
import {useServer, type Loaded} from './loaded';
import {Failure} from './parts/notice';
import {Token} from './parts/token';
import {Explore} from './visitor/explore';
import {Watch} from './watcher/watch';
import {hookName, plural} from './words';

const VIEWS = {explore: 'Explore', watch: 'Watch'} as const;
type View = keyof typeof VIEWS;

const viewOfAddress = (): View => location.hash === '#watch' ? 'watch' : 'explore';

function useView(): View {
  const [view, setView] = useState(viewOfAddress);
  useEffect(() => {
    const changed = () => setView(viewOfAddress());
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return view;
}

const isNameless = (failure: unknown): boolean => failure instanceof RpcError && failure.nameless;

function Header({view, loaded, failure}: {view: View; loaded: Loaded | undefined; failure: unknown}) {
  const lost = failure !== undefined;
  const model = loaded?.about.model;
  return (
    <header class="top">
      <div class="brand">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M5 21h22M5 11h22" /><circle cx="12" cy="11" r="4" class="knob" /><circle cx="20" cy="21" r="4" class="knob warm" />
        </svg>
        <span>AlignSAE</span>
      </div>
      <nav aria-label="Views">
        {Object.entries(VIEWS).map(([name, title]) => (
          <a key={name} href={`#${name}`} aria-current={view === name ? 'page' : undefined}>{title}</a>
        ))}
      </nav>
      <p class="serving" data-state={lost ? 'lost' : 'there'}>
        <span class="dot" aria-hidden="true" />
        {isNameless(failure) ? 'asks for a token' : lost ? 'no answer' : model ? `${model.name ?? 'model'} · ${plural(model.nLayer ?? 0, 'block')} · ${model.dtype ?? ''}` : 'asking …'}
      </p>
    </header>
  );
}

export function App() {
  const {loaded, failure} = useServer();
  const view = useView();
  const [chosen, setChosen] = useState('');
  const checkpoints = loaded?.checkpoints ?? [];
  const current = checkpoints.find((one) => one.checkpoint?.name === chosen) ?? checkpoints[0];
  const name = current?.checkpoint?.name ?? '';
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById('main')?.focus(); }}>
        To the content
      </a>
      <Header view={view} loaded={loaded} failure={failure} />
      <main id="main" tabIndex={-1}>
        <Failure of={failure} />
        {isNameless(failure) && <Token />}
        {checkpoints.length > 1 && (
          <p class="field row">
            <label for="checkpoint">Checkpoint</label>
            <select id="checkpoint" value={name} onChange={(event) => setChosen(event.currentTarget.value)}>
              {checkpoints.map((one) => <option key={one.checkpoint?.name}>{one.checkpoint?.name}</option>)}
            </select>
          </p>
        )}
        {loaded && !current && <p class="failure">The model has no checkpoint with concepts, so there is nothing to show.</p>}
        {current && (view === 'watch' ? <Watch key={name} of={current} /> : <Explore key={name} of={current} />)}
      </main>
      {current && (
        <footer>
          Concepts are read and edited at {hookName(current.checkpoint?.hookPoint)} of “{loaded?.about.model?.name}” by the
          checkpoint “{name}”. Server {loaded?.about.serverVersion}. Everything here is also <a href="/openapi.json">an RPC</a>.{' '}
          <a href="/licenses.txt">Licences</a> of the code that this page uses.
        </footer>
      )}
    </>
  );
}
