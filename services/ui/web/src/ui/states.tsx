/** What a page shows when it has nothing to show: not yet, nothing there, or something failed. */

import type { CSSProperties, ReactNode } from "react";
import { Problem } from "../api/problem";
import type { Messages } from "../i18n";
import { useMessages } from "../i18n";
import type { IconName } from "./icon";
import { Icon } from "./icon";
import { copyText } from "./toast";

export function Skeleton({ width, height }: { width?: CSSProperties["width"]; height?: CSSProperties["height"] }): ReactNode {
  return <span className="skeleton" style={{ width: width ?? "100%", height: height ?? 12 }} aria-hidden />;
}

/** Grey rows of uneven length. */
export function SkeletonRows({ rows = 8 }: { rows?: number }): ReactNode {
  const { common } = useMessages();
  return (
    <div className="skeleton-rows" role="status" aria-label={common.loading}>
      {Array.from({ length: rows }, (_, index) => (
        <Skeleton key={index} width={`${92 - ((index * 17) % 41)}%`} />
      ))}
    </div>
  );
}

interface EmptyProps {
  icon?: IconName;
  title: string;
  detail?: string;
  children?: ReactNode;
}

export function Empty({ icon = "search", title, detail, children }: EmptyProps): ReactNode {
  return (
    <div className="state">
      <span className="state-icon">
        <Icon name={icon} />
      </span>
      <h2>{title}</h2>
      {detail && <p>{detail}</p>}
      {children && <div className="state-actions">{children}</div>}
    </div>
  );
}

/** A failed request: what happened, what to do, and the id that the log knows it by. */
export function ErrorState({ error, onRetry }: { error: Error; onRetry?: () => void }): ReactNode {
  const messages = useMessages();
  const { title, detail } = errorTexts(error, messages);
  const requestId = error instanceof Problem ? error.requestId : "";
  return (
    <div className="state state-error" role="alert">
      <span className="state-icon">
        <Icon name="error" />
      </span>
      <h2>{title}</h2>
      {detail && <p>{detail}</p>}
      {requestId && (
        <button type="button" className="request-id mono" onClick={() => void copyText(requestId, messages.common.copied)}>
          {messages.error.requestId} {requestId}
          <Icon name="copy" />
        </button>
      )}
      {onRetry && (
        <div className="state-actions">
          <button type="button" className="button" onClick={onRetry}>
            <Icon name="refresh" />
            {messages.common.retry}
          </button>
        </div>
      )}
    </div>
  );
}

export function errorTexts(error: Error, messages: Messages): { title: string; detail: string } {
  const texts = messages.error;
  if (!(error instanceof Problem)) return { title: texts.title, detail: error.message };
  if (error.id === "network") return { title: texts.network, detail: texts.networkDetail };
  if (error.id === "timeout") return { title: texts.timeout, detail: texts.timeoutDetail };
  if (error.id === "unreadable") return { title: texts.unreadable, detail: error.detail };
  return { title: error.title || texts.title, detail: error.detail };
}

/** A failed request above data that is still there: one line, not in the way. */
export function ErrorNote({ error, onRetry }: { error: Error; onRetry?: () => void }): ReactNode {
  const messages = useMessages();
  const { title, detail } = errorTexts(error, messages);
  return (
    <div className="note note-error" role="alert">
      <Icon name="error" />
      <span>
        <strong>{title}</strong> {detail}
      </span>
      {onRetry && (
        <button type="button" className="link" onClick={onRetry}>
          {messages.common.retry}
        </button>
      )}
    </div>
  );
}
