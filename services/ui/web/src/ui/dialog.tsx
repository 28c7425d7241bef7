/** A modal. The browser's `<dialog>` keeps the focus inside and the page behind inert. */

import type { ReactNode } from "react";
import { useEffect, useRef } from "react";
import { useMessages } from "../i18n";
import { Icon } from "./icon";

interface DialogProps {
  onClose: () => void;
  /** Without one the dialog has no head, and `label` names it. */
  title?: string;
  label?: string;
  children: ReactNode;
}

/** Mounted means open. */
export function Dialog({ onClose, title, label, children }: DialogProps): ReactNode {
  const ref = useRef<HTMLDialogElement>(null);
  const messages = useMessages();
  useEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      className="dialog"
      aria-label={title ?? label}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      {title && (
        <div className="dialog-head">
          <h2>{title}</h2>
          <button type="button" className="button button-quiet button-icon" aria-label={messages.common.close} onClick={onClose}>
            <Icon name="close" />
          </button>
        </div>
      )}
      {title ? <div className="dialog-body">{children}</div> : children}
    </dialog>
  );
}
