/** Preact and its signals, as the page uses them. The only file that imports them. */
export { computed, signal, useSignal } from '@preact/signals'
export { type ComponentChildren, type JSX, render } from 'preact'
export { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
