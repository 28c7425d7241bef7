/** A bug on one page must not take the frame down with it. */

import type { ErrorInfo, ReactNode } from "react";
import { Component } from "react";
import { useMessages } from "../i18n";
import { Icon } from "../ui/icon";

interface CrashBoundaryProps {
  children: ReactNode;
  /** Elsewhere the bug may not be: another place is tried anew. */
  place?: string;
}

export class CrashBoundary extends Component<CrashBoundaryProps, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown): { error: Error } {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override componentDidCatch(error: unknown, info: ErrorInfo): void {
    // eslint-disable-next-line no-console -- the only trace a reporter can send us
    console.error(error, info.componentStack);
  }

  override componentDidUpdate(before: CrashBoundaryProps): void {
    if (this.state.error && before.place !== this.props.place) this.setState({ error: null });
  }

  override render(): ReactNode {
    return this.state.error ? <Crash error={this.state.error} /> : this.props.children;
  }
}

function Crash({ error }: { error: Error }): ReactNode {
  const { error: texts } = useMessages();
  return (
    <div className="state state-error" role="alert">
      <span className="state-icon">
        <Icon name="warning" />
      </span>
      <h2>{texts.crashed}</h2>
      <p>{texts.crashedDetail}</p>
      <pre className="crash-message">{error.message}</pre>
      <div className="state-actions">
        <button type="button" className="button" onClick={() => window.location.reload()}>
          <Icon name="refresh" />
          {texts.reload}
        </button>
      </div>
    </div>
  );
}
