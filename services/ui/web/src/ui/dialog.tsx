/** A modal: the focus stays inside, the page behind is inert. */

import type { ReactNode } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { useMessages } from "../i18n";
import { IconButton } from "./button";

interface DialogProps {
  onClose: () => void;
  /** Without one the dialog has no head, and `label` names it. */
  title?: string;
  label?: string;
  children: ReactNode;
}

/** Mounted means open. */
export function Dialog({ onClose, title, label, children }: DialogProps): ReactNode {
  const messages = useMessages();
  return (
    <ModalOverlay
      className="overlay"
      isOpen
      isDismissable
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
    >
      <Modal className="modal">
        <AriaDialog className="dialog" {...(title === undefined && label !== undefined && { "aria-label": label })}>
          {title !== undefined && (
            <div className="dialog-head">
              <Heading slot="title" level={2}>
                {title}
              </Heading>
              <IconButton icon="close" label={messages.common.close} className="button-quiet" onClick={onClose} />
            </div>
          )}
          {title === undefined ? children : <div className="dialog-body">{children}</div>}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}
