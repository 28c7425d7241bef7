/** Short confirmations at the foot of the page, announced to screen readers. */

import type { ReactNode } from "react";
import {
  Text, UNSTABLE_Toast as Toast, UNSTABLE_ToastContent as ToastContent, UNSTABLE_ToastQueue as ToastQueue,
  UNSTABLE_ToastRegion as ToastRegion,
} from "react-aria-components";
import { useMessages } from "../i18n";

/** Long enough to be read; hovering or focusing keeps it. */
const SHOWN_MS = 5_000;

const queue = new ToastQueue<string>({ maxVisibleToasts: 3 });

export function toast(text: string): void {
  queue.add(text, { timeout: SHOWN_MS });
}

export function ToastLayer(): ReactNode {
  const { common } = useMessages();
  return (
    <ToastRegion queue={queue} className="toasts" aria-label={common.notifications}>
      {({ toast: shown }) => (
        <Toast toast={shown} className="toast">
          <ToastContent>
            <Text slot="title">{shown.content}</Text>
          </ToastContent>
        </Toast>
      )}
    </ToastRegion>
  );
}

/** Copies and says so. */
export async function copyText(text: string, message: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS browsers have no clipboard interface, and plain http on a LAN is how many try us out first.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    // Inside the dialog that is open, which keeps the focus to itself.
    (document.activeElement?.closest("[role=dialog]") ?? document.body).append(area);
    area.select();
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way to copy on a page without TLS
    document.execCommand("copy");
    area.remove();
  }
  toast(message);
}
