import type { ReactNode } from "react";
import { useMessages } from "../i18n";
import { NAVIGATION } from "../pages/registry";
import { Dialog } from "../ui/dialog";
import { Kbd } from "../ui/small";
import { MOD } from "../ui/shortcuts";

export function ShortcutSheet({ onClose }: { onClose: () => void }): ReactNode {
  const { shortcuts } = useMessages();
  const groups: [string, [string, string[]][]][] = [
    [
      shortcuts.global,
      [
        [shortcuts.palette, [MOD, "K"]],
        [shortcuts.search, ["/"]],
        [shortcuts.time, ["d"]],
        [shortcuts.refresh, ["r"]],
        [shortcuts.go, ["g", NAVIGATION.map(({ keys }) => keys.replace("g ", "")).join(" ")]],
        [shortcuts.theme, ["t"]],
        [shortcuts.help, ["?"]],
      ],
    ],
    [
      shortcuts.lists,
      [
        [shortcuts.move, ["j", "k"]],
        [shortcuts.open, ["↵"]],
        [shortcuts.fold, ["←", "→"]],
        [shortcuts.foldAll, ["-", "+"]],
        [shortcuts.match, ["n", "N"]],
        [shortcuts.close, ["Esc"]],
      ],
    ],
  ];
  return (
    <Dialog title={shortcuts.title} onClose={onClose}>
      <div className="shortcut-groups">
        {groups.map(([name, rows]) => (
          <section key={name}>
            <h3>{name}</h3>
            {rows.map(([label, keys]) => (
              <div className="shortcut-row" key={label}>
                <span>{label}</span>
                <span className="shortcut-keys">
                  {keys.map((key) => (
                    <Kbd key={key}>{key}</Kbd>
                  ))}
                </span>
              </div>
            ))}
          </section>
        ))}
      </div>
      <p className="muted shortcut-note">{shortcuts.chart}</p>
    </Dialog>
  );
}
