/** What stands above every page: where one is, the palette, the time range. */

import type { ReactNode, RefObject } from "react";
import { createContext, use, useEffect, useMemo, useState } from "react";
import { createPortal } from "react-dom";
import { useMessages } from "../i18n";
import { useTime } from "../time/context";
import { TimePicker } from "../time/picker";
import { absolute } from "../time/range";
import { changed } from "../url/params";
import { IconButton } from "../ui/button";
import { Icon } from "../ui/icon";
import { Kbd } from "../ui/small";
import { MOD } from "../ui/shortcuts";
import { copyText } from "../ui/toast";
import { Refresh } from "./refresh";

/** Where a page puts its title; it is part of the bar although it belongs to the page. */
const TitleContext = createContext<{ target: HTMLElement | null; setTarget: (element: HTMLElement | null) => void }>({
  target: null,
  setTarget: () => undefined,
});

export function TitleProvider({ children }: { children: ReactNode }): ReactNode {
  const [target, setTarget] = useState<HTMLElement | null>(null);
  const value = useMemo(() => ({ target, setTarget }), [target]);
  return <TitleContext value={value}>{children}</TitleContext>;
}

/** The page's heading. `text` is for the browser's tab. */
export function PageTitle({ text, children }: { text: string; children?: ReactNode }): ReactNode {
  const { target } = use(TitleContext);
  useEffect(() => {
    document.title = `${text} · AIRIS-MON`;
  }, [text]);
  return target && createPortal(<h1 className="page-title">{children ?? text}</h1>, target);
}

interface TopBarProps {
  timeButton: RefObject<HTMLButtonElement | null>;
  onPalette: () => void;
  onHelp: () => void;
}

export function TopBar({ timeButton, onPalette, onHelp }: TopBarProps): ReactNode {
  const messages = useMessages();
  const { setTarget } = use(TitleContext);
  return (
    <header className="topbar">
      <div className="topbar-title" ref={setTarget} />
      <button type="button" className="palette-button" onClick={onPalette}>
        <Icon name="search" />
        <span className="truncate">{messages.palette.open}</span>
        <Kbd>{MOD} K</Kbd>
      </button>
      <div className="topbar-controls">
        <TimePicker buttonRef={timeButton} />
        <Refresh />
        <ShareButton />
        <IconButton icon="keyboard" label={messages.shortcuts.title} keys="?" className="button-quiet topbar-help" onClick={onHelp} />
      </div>
    </header>
  );
}

/** "Last hour" means another hour to whoever opens the link tomorrow, and another zone another day. */
function ShareButton(): ReactNode {
  const { time } = useMessages();
  const { interval, zone } = useTime();
  const share = (): void => {
    const { origin, pathname, search } = window.location;
    const fixed = absolute(interval.fromMs, interval.toMs);
    const tz = zone === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : zone;
    void copyText(origin + pathname + changed(search, { ...fixed, tz, refresh: null }), time.linkCopied);
  };
  return <IconButton icon="link" label={time.shareAbsolute} className="button-quiet topbar-share" onClick={share} />;
}
