import { useLayoutEffect, useRef } from "react";

/** Today's value for callbacks that outlive the render they were made in. */
export function useLatest<T>(value: T): { readonly current: T } {
  const ref = useRef(value);
  useLayoutEffect(() => {
    ref.current = value;
  });
  return ref;
}
