// What went wrong, as a sentence, and what can be done.
import type {ComponentChildren} from 'preact';
import {RpcError} from '../api/connect';
import {failureText} from '../words';

export function Failure({of, children}: {of: unknown; children?: ComponentChildren}) {
  if (of === undefined || (of instanceof RpcError && of.cancelled)) return null;
  return <p class="failure" role="alert">{failureText(of)} {children}</p>;
}
