/**
 * The stream of samples, shared by the tabs of a browser: one tab in view listens to the dashboard and passes on what
 * comes. A browser has six connections for one origin (HTTP/1.1), so a stream for each tab would leave none.
 */
import { pathOfRoute } from './api.js'

export interface StreamListener<S> {
  /** Called with each sample. */
  onSample(sample: S): void
  /** Called when the stream is cut; the browser opens it again unless it was refused. */
  onCut(isRefused: boolean): void
  /** Returns all that is known, for a tab that joins; undefined: nothing is. */
  whole(): S | undefined
}

type Message<S> = { readonly sample: S } | { readonly asks: true }

const NAME = `takespace ${location.pathname}`

/** Begins to listen. Returns a function that ends it. */
export function openStream<S>(listener: StreamListener<S>): () => void {
  // Plain http beyond this machine has no locks: then each tab listens by itself.
  if (!navigator.locks) return openSource(listener.onSample, listener.onCut)
  const channel = new BroadcastChannel(NAME)
  const over = new AbortController()
  let leads = false
  channel.onmessage = ({ data }: MessageEvent<Message<S>>) => {
    if ('sample' in data) listener.onSample(data.sample)
    else if (leads) passOn(listener.whole())
  }
  const passOn = (sample: S | undefined): void => {
    if (sample && !over.signal.aborted) channel.postMessage({ sample })
  }
  const lead = (): Promise<void> => {
    leads = true
    const close = openSource<S>((sample) => {
      listener.onSample(sample)
      passOn(sample)
    }, listener.onCut)
    return new Promise((resolve) => {
      over.signal.onabort = () => {
        close()
        resolve()
      }
    })
  }
  navigator.locks.request(NAME, { signal: over.signal }, lead).catch(() => {})
  channel.postMessage({ asks: true })
  return () => {
    over.abort()
    channel.close()
  }
}

function openSource<S>(onSample: (sample: S) => void, onCut: (isRefused: boolean) => void): () => void {
  const source = new EventSource(pathOfRoute('events'))
  source.onmessage = ({ data }: MessageEvent<string>) => onSample(JSON.parse(data) as S)
  source.onerror = () => onCut(source.readyState === EventSource.CLOSED)
  return () => source.close()
}
