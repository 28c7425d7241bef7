/** Everything by name: pages, services, traces by id, searches, settings. */

import type { ReactNode } from "react";
import { useMemo, useState } from "react";
import { Autocomplete, Header, Input, Menu, MenuItem, MenuSection, TextField } from "react-aria-components";
import { useNavigate } from "react-router";
import { useTimedQuery } from "../api/use-api";
import type { Messages } from "../i18n";
import { LOCALE_NAMES, setLocale, useLocale, useMessages } from "../i18n";
import { setPreference } from "../preferences/store";
import { NAVIGATION, paths } from "../pages/registry";
import { useTime } from "../time/context";
import { presetText } from "../time/picker";
import { PRESETS, lastMs } from "../time/range";
import { useLinkTo } from "../url/params";
import { Dialog } from "../ui/dialog";
import type { IconName } from "../ui/icon";
import { Icon } from "../ui/icon";
import { ServiceDot } from "../ui/service";

interface Command {
  id: string;
  group: string;
  label: string;
  /** More words to find it by. */
  words?: string;
  icon?: IconName;
  service?: string;
  /** The shortcut that does the same. */
  keys?: string;
  run: () => void;
}

const MAX_SHOWN = 40;
/** Shorter texts are still on their way to a name. */
const MIN_SEARCHED = 3;
const TRACE_ID = /^[0-9a-f]{32}$/i;

export function Palette({ onClose }: { onClose: () => void }): ReactNode {
  const { palette } = useMessages();
  const [text, setText] = useState("");
  const commands = useCommands(text);
  const groups = useMemo(() => [...Map.groupBy(matching(commands, text), ({ group }) => group)], [commands, text]);
  return (
    <Dialog label={palette.open} onClose={onClose}>
      <Autocomplete inputValue={text} onInputChange={setText}>
        <TextField className="palette-search" aria-label={palette.placeholder} autoFocus>
          <Icon name="search" />
          <Input className="palette-input" placeholder={palette.placeholder} spellCheck={false} />
        </TextField>
        <Menu className="palette-list" aria-label={palette.open} renderEmptyState={() => <p className="menu-heading">{palette.empty}</p>}>
          {groups.map(([group, found]) => (
            <MenuSection key={group}>
              <Header className="menu-heading">{group}</Header>
              {found.map((command) => (
                <MenuItem
                  key={command.id}
                  id={command.id}
                  textValue={command.label}
                  className="menu-item"
                  onAction={() => {
                    onClose();
                    command.run();
                  }}
                >
                  {command.icon && <Icon name={command.icon} />}
                  {command.service !== undefined && <ServiceDot service={command.service} />}
                  <span className="truncate">{command.label}</span>
                  {command.keys !== undefined && <span className="menu-end mono">{command.keys}</span>}
                </MenuItem>
              ))}
            </MenuSection>
          ))}
        </Menu>
      </Autocomplete>
    </Dialog>
  );
}

function matching(commands: readonly Command[], text: string): Command[] {
  const words = text.normalize("NFC").toLowerCase().split(/\s+/).filter(Boolean);
  return commands
    .filter(({ label, words: more = "", id }) => {
      const haystack = `${label} ${more}`.normalize("NFC").toLowerCase();
      return id.startsWith("typed-") || words.every((word) => haystack.includes(word));
    })
    .slice(0, MAX_SHOWN);
}

function useCommands(text: string): Command[] {
  const messages = useMessages();
  const navigate = useNavigate();
  const linkTo = useLinkTo();
  const { setRange } = useTime();
  const locale = useLocale();
  const services = useTimedQuery("/api/v1/services");
  const go = (path: string, own?: Record<string, string>): void => void navigate(linkTo(path, own));
  const { palette } = messages;
  const typed = text.trim();
  return [
    ...traceCommand(typed, messages, go),
    ...NAVIGATION.map(({ id, path, icon, title, keys }) => ({
      id,
      group: palette.pages,
      icon,
      label: title[locale],
      // Who reads one language may type the other.
      words: `${Object.values(title).join(" ")} ${keys}`,
      keys,
      run: () => go(path),
    })),
    ...(services.data?.services ?? []).map(({ service }) => ({
      id: `service-${service}`,
      group: palette.services,
      label: service,
      service,
      run: () => go(paths.service, { name: service }),
    })),
    ...PRESETS.map(({ text: preset, ms }) => ({
      id: `range-${preset}`,
      group: palette.actions,
      icon: "clock" as const,
      label: palette.rangeTo(messages.time.last(presetText(preset, messages))),
      words: preset,
      run: () => setRange(lastMs(ms)),
    })),
    ...(["system", "light", "dark"] as const).map((theme) => ({
      id: `theme-${theme}`,
      group: palette.actions,
      icon: ({ system: "monitor", light: "sun", dark: "moon" } as const)[theme],
      label: palette.themeTo(messages.account.themes[theme]),
      words: `theme ${theme}`,
      run: () => setPreference("theme", theme),
    })),
    ...(["en", "ko"] as const)
      .filter((other) => other !== locale)
      .map((other) => ({
        id: `language-${other}`,
        group: palette.actions,
        icon: "globe" as const,
        label: palette.languageTo(LOCALE_NAMES[other]),
        words: `language ${other}`,
        run: () => setLocale(other),
      })),
    // Last: who types a service's name wants the service first.
    ...searchCommands(typed, messages, go),
  ];
}

function traceCommand(typed: string, { palette }: Messages, go: (path: string) => void): Command[] {
  if (!TRACE_ID.test(typed)) return [];
  const id = typed.toLowerCase();
  return [{ id: "typed-trace", group: palette.actions, icon: "traces", label: palette.trace(id), run: () => go(paths.trace(id)) }];
}

/** The text as something to look for in logs and traces. */
function searchCommands(typed: string, { palette }: Messages, go: (path: string, own?: Record<string, string>) => void): Command[] {
  if (typed.length < MIN_SEARCHED || TRACE_ID.test(typed)) return [];
  const group = palette.actions;
  return [
    { id: "typed-logs", group, icon: "logs", label: palette.searchLogs(typed), run: () => go(paths.logs, { query: typed }) },
    { id: "typed-traces", group, icon: "traces", label: palette.searchTraces(typed), run: () => go(paths.traces, { query: typed }) },
  ];
}
