// One call at a time: a new one, or the end of the component, stops the one
// before, whose slot the server frees.
import {useCallback, useEffect, useRef, useState} from 'preact/hooks';
import {RpcError} from '../api/connect';

export type Phase = 'idle' | 'running' | 'done' | 'stopped' | 'failed';

export interface CallState {
  phase: Phase;
  failure: unknown;
  // Runs `work` until it ends or `signal` says stop. What a stopped work still
  // tells, it must drop: `signal.aborted`.
  run: (work: (signal: AbortSignal) => Promise<void>) => void;
  stop: () => void;
}

export function useCall(): CallState {
  const [phase, setPhase] = useState<Phase>('idle');
  const [failure, setFailure] = useState<unknown>();
  const current = useRef<AbortController>();
  const stop = useCallback(() => current.current?.abort(), []);
  useEffect(() => stop, [stop]);
  const run = useCallback((work: (signal: AbortSignal) => Promise<void>) => {
    stop();
    const controller = new AbortController();
    current.current = controller;
    setPhase('running');
    setFailure(undefined);
    work(controller.signal).then(
      () => { if (current.current === controller) setPhase('done'); },
      (thrown: unknown) => {
        if (current.current !== controller) return;
        const stopped = controller.signal.aborted || (thrown instanceof RpcError && thrown.cancelled);
        setPhase(stopped ? 'stopped' : 'failed');
        if (!stopped) setFailure(thrown);
        if (thrown instanceof RpcError && (thrown.code === 'lost' || thrown.nameless)) dispatchEvent(new Event('server-lost'));
      });
  }, [stop]);
  return {phase, failure, run, stop};
}
