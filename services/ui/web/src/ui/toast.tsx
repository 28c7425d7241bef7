/** A short confirmation at the foot of the page, one at a time. */

import type { ReactNode } from "react";
import { useEffect, useState } from "react";

const EVENT = "airis:toast";
const SHOWN_MS = 2200;

export function toast(text: string): void {
  window.dispatchEvent(new CustomEvent<string>(EVENT, { detail: text }));
}

export function ToastLayer(): ReactNode {
  const [shown, setShown] = useState({ text: "", at: 0 });
  useEffect(() => {
    const onToast = (event: Event): void => setShown({ text: (event as CustomEvent<string>).detail, at: Date.now() });
    window.addEventListener(EVENT, onToast);
    return () => window.removeEventListener(EVENT, onToast);
  }, []);
  useEffect(() => {
    if (shown.text === "") return undefined;
    const timer = setTimeout(() => setShown({ text: "", at: 0 }), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [shown]);
  return (
    <div role="status" aria-live="polite">
      {shown.text !== "" && (
        <div className="toast" key={shown.at} ref={(element) => element?.showPopover()} popover="manual">
          {shown.text}
        </div>
      )}
    </div>
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
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way to copy on a page without TLS
    document.execCommand("copy");
    area.remove();
  }
  toast(message);
}
