/** Refresh now, or every so often. */

import { useIsFetching } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useMessages } from "../i18n";
import { useTime } from "../time/context";
import { presetText } from "../time/picker";
import { Icon } from "../ui/icon";
import { Menu, MenuItem } from "../ui/menu";
import { Popover } from "../ui/popover";

const EVERY = ["5s", "10s", "30s", "1m", "5m"] as const;

export function Refresh(): ReactNode {
  const messages = useMessages();
  const { refresh, refreshEvery, setRefreshEvery } = useTime();
  const fetching = useIsFetching() > 0;
  return (
    <div className="button-group">
      <button
        type="button"
        className="button button-icon"
        data-busy={fetching}
        aria-label={messages.time.refresh}
        data-tip={messages.time.refresh}
        data-tip-key="r"
        onClick={refresh}
      >
        <Icon name="refresh" />
      </button>
      <Popover
        className="button refresh-every"
        role="menu"
        placement="bottom-end"
        label={messages.time.autoRefresh}
        button={
          <>
            {refreshEvery !== "" && <span className="refresh-live">{refreshEvery}</span>}
            <Icon name="chevronDown" />
          </>
        }
      >
        <Menu>
          <p className="menu-heading">{messages.time.autoRefresh}</p>
          <MenuItem checked={refreshEvery === ""} onSelect={() => setRefreshEvery("")}>
            {messages.time.off}
          </MenuItem>
          {EVERY.map((every) => (
            <MenuItem key={every} checked={refreshEvery === every} onSelect={() => setRefreshEvery(every)}>
              {messages.time.every(presetText(every, messages))}
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </div>
  );
}
