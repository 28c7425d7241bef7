/** Refresh now, or every so often. */

import { useIsFetching } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useMessages } from "../i18n";
import { useTime } from "../time/context";
import { presetText } from "../time/picker";
import { IconButton } from "../ui/button";
import { Icon } from "../ui/icon";
import { ChoiceMenu } from "../ui/menu";

const EVERY = ["5s", "10s", "30s", "1m", "5m"] as const;

export function Refresh(): ReactNode {
  const messages = useMessages();
  const { refresh, refreshEvery, setRefreshEvery } = useTime();
  const fetching = useIsFetching() > 0;
  return (
    <div className="button-group">
      <IconButton icon="refresh" label={messages.time.refresh} keys="r" data-busy={fetching} onClick={refresh} />
      <ChoiceMenu
        className="button refresh-every"
        label={messages.time.autoRefresh}
        button={
          <>
            {refreshEvery !== "" && <span className="refresh-live">{refreshEvery}</span>}
            <Icon name="chevronDown" />
          </>
        }
        value={refreshEvery}
        choices={[
          { value: "", label: messages.time.off },
          ...EVERY.map((every) => ({ value: every, label: messages.time.every(presetText(every, messages)) })),
        ]}
        onChange={setRefreshEvery}
      />
    </div>
  );
}
