// What the server has loaded, and whether it is there: asked at the start, and
// again every two seconds while it does not answer. While it wants to know who
// asks, it is asked again when a token is given.
import {useEffect, useState} from 'preact/hooks';
import {getModel, listConcepts, setUsesTemplate} from './api/calls';
import {RpcError} from './api/connect';
import type {CheckpointConcepts, GetModelResponse} from './api/types';

export interface Loaded { about: GetModelResponse; checkpoints: CheckpointConcepts[] }

export interface Server {
  loaded: Loaded | undefined;  // The last that was heard of.
  failure: unknown;            // Why it does not answer now.
}

const AGAIN_MS = 2000;

export function useServer(): Server {
  const [server, setServer] = useState<Server>({loaded: undefined, failure: undefined});
  useEffect(() => {
    const controller = new AbortController();
    let waiting = 0;
    const ask = async () => {
      clearTimeout(waiting);
      try {
        const about = await getModel(controller.signal);
        setUsesTemplate(Boolean(about.model?.promptTemplate));
        const {checkpoints = []} = await listConcepts(controller.signal);
        setServer({loaded: {about, checkpoints: checkpoints.filter((one) => one.concepts?.length)}, failure: undefined});
      } catch (failure) {
        if (controller.signal.aborted) return;
        setServer((before) => ({...before, failure}));
        if (failure instanceof RpcError && failure.nameless) return;
        waiting = window.setTimeout(ask, AGAIN_MS);
      }
    };
    void ask();
    const events = ['server-lost', 'token-given'];
    events.forEach((name) => addEventListener(name, ask));
    return () => {
      events.forEach((name) => removeEventListener(name, ask));
      clearTimeout(waiting);
      controller.abort();
    };
  }, []);
  return server;
}
