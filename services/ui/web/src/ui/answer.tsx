/** What stands in for an answer of the API: not yet, failed, nothing there; and beside one: what failed since. */

import type { ReactNode } from "react";
import type { Problem } from "../api/problem";
import { ErrorNote, ErrorState, SkeletonRows } from "./states";

/** The part of a query's result that says how it stands. */
export interface Asking {
  error: Problem | null;
  isPending: boolean;
  refetch: () => unknown;
}

interface AnswerProps<T> {
  query: Asking & { data: T | undefined };
  /** Grey rows while it is on its way. */
  rows?: number;
  /** Shown for 404 in place of the failure. */
  missing?: ReactNode;
  /** Failures that are shown elsewhere, such as a query that does not parse. */
  unless?: (error: Problem) => boolean;
  /** Shown when the answer `is` empty. */
  empty?: { is: (data: T) => boolean; show: ReactNode };
  children: (data: T) => ReactNode;
}

export function Answer<T>({ query, rows = 8, missing, unless, empty, children }: AnswerProps<T>): ReactNode {
  const { data, error, isPending, refetch } = query;
  const retry = (): void => void refetch();
  const nothing = data === undefined || empty?.is(data) === true;
  if (error && nothing) {
    if (unless?.(error)) return null;
    return error.status === 404 && missing !== undefined ? missing : <ErrorState error={error} onRetry={retry} />;
  }
  if (isPending || data === undefined) return <SkeletonRows rows={rows} />;
  if (nothing) return empty?.show;
  return (
    <>
      {error && <ErrorNote error={error} onRetry={retry} />}
      {children(data)}
    </>
  );
}
