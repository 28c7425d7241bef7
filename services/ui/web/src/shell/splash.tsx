import type { ReactNode } from "react";
import { useMessages } from "../i18n";

/** While the first answers are on their way. */
export function Splash(): ReactNode {
  const { common } = useMessages();
  return (
    <div className="splash" role="status" aria-label={common.loading}>
      <Mark />
    </div>
  );
}

/** The iris: three blades around an opening. */
export function Mark(): ReactNode {
  return (
    <svg className="mark" viewBox="0 0 24 24" aria-hidden>
      <circle cx="12" cy="12" r="9.25" fill="none" stroke="currentColor" strokeWidth="2.5" />
      <path d="M12 2.75 16 12M21.2 12l-9.4 4M4 16.6 8 7.2" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
      <circle cx="12" cy="12" r="2.6" fill="currentColor" />
    </svg>
  );
}
