/** Who is signed in. Everything behind the gate has a session; whoever loses it is sent to the way in, and back. */

import { useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { createContext, use, useEffect } from "react";
import { Navigate, useLocation, useNavigate } from "react-router";
import { post } from "../api/client";
import { SESSION_ENDED } from "../api/query-client";
import type { Me } from "../api/schema";
import { useUntimedQuery } from "../api/use-api";
import { paths } from "../pages/registry";
import { ErrorState } from "../ui/states";
import { Splash } from "./splash";

const SessionContext = createContext<Me | null>(null);

export function useSession(): Me {
  const me = use(SessionContext);
  if (!me) throw new Error("useSession outside of SessionGate");
  return me;
}

export const ME = "/api/v1/auth/me";

export function signInLink(pathname: string, search: string, expired: boolean): string {
  const params = new URLSearchParams();
  if (pathname !== "/") params.set("return", pathname + search);
  if (expired) params.set("expired", "1");
  const text = params.toString();
  return text ? `${paths.signIn}?${text}` : paths.signIn;
}

export function SessionGate({ children }: { children: ReactNode }): ReactNode {
  const { pathname, search } = useLocation();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const me = useUntimedQuery(ME, {});
  const signedIn = me.data !== undefined;

  useEffect(() => {
    const onEnded = (): void => {
      // The very first answer may be 401 as well; then nothing has expired, and clearing would only ask again.
      if (!signedIn) return;
      const { pathname: at, search: query } = window.location;
      queries.clear();
      void navigate(signInLink(at, query, true), { replace: true });
    };
    window.addEventListener(SESSION_ENDED, onEnded);
    return () => window.removeEventListener(SESSION_ENDED, onEnded);
  }, [navigate, queries, signedIn]);

  if (me.data) return <SessionContext value={me.data}>{children}</SessionContext>;
  if (me.error?.status === 401) return <Navigate to={signInLink(pathname, search, false)} replace />;
  if (me.error) return <ErrorState error={me.error} onRetry={() => void me.refetch()} />;
  return <Splash />;
}

export function useSignOut(): () => Promise<void> {
  const queries = useQueryClient();
  const navigate = useNavigate();
  return async () => {
    try {
      await post("/api/v1/auth/sign-out");
    } finally {
      // What one person saw must not be there for the next.
      queries.clear();
      await navigate(paths.signIn);
    }
  };
}
