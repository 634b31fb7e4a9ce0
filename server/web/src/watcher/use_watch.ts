// The server's counts, second by second, for as long as somebody looks. A watch
// ends before its call's deadline and goes on with the next; while the server
// does not answer it is tried again.
import {useEffect, useState} from 'preact/hooks';
import {watch} from '../api/calls';
import {RpcError} from '../api/connect';
import type {WatchSlotsResponse} from '../api/types';

export const WINDOW = 300;  // Seconds that are kept.
const AGAIN_MS = 2000;

export interface Second { at: number; message: WatchSlotsResponse }  // `at`: milliseconds since the epoch.
export interface Watched { seconds: Second[]; failure: unknown }

export function useWatch(checkpoint: string): Watched {
  const [watched, setWatched] = useState<Watched>({seconds: [], failure: undefined});
  useEffect(() => {
    const controller = new AbortController();
    const {signal} = controller;
    const go = async () => {
      while (!signal.aborted) {
        try {
          for await (const message of watch(checkpoint, signal)) {
            setWatched(({seconds}) => ({
              seconds: [...seconds, {at: Date.now(), message}].slice(-WINDOW), failure: undefined,
            }));
          }
          continue;
        } catch (failure) {
          if (signal.aborted) return;
          if (failure instanceof RpcError && (failure.code === 'lost' || failure.nameless)) dispatchEvent(new Event('server-lost'));
          setWatched((before) => ({...before, failure}));
        }
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    };
    void go();
    return () => controller.abort();
  }, [checkpoint]);
  return watched;
}
