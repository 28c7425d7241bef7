import type { ReactNode } from "react";
import { NavLink } from "react-router";
import { useLocale, useMessages } from "../i18n";
import { NAVIGATION, NAVIGATION_GROUPS, paths } from "../pages/registry";
import { setPreference, usePreference } from "../preferences/store";
import { useLinkTo } from "../url/params";
import { IconButton } from "../ui/button";
import { Icon } from "../ui/icon";
import { Tip } from "../ui/tip";
import { Account } from "./account";
import { Mark } from "./splash";

export function Sidebar(): ReactNode {
  const messages = useMessages();
  const linkTo = useLinkTo();
  const state = usePreference("sidebar", "open");
  const locale = useLocale();
  const groups = Map.groupBy(NAVIGATION, ({ group }) => group);
  const toggle = state === "open" ? messages.nav.collapse : messages.nav.expand;
  return (
    <aside className="sidebar" data-state={state} aria-label={messages.nav.sidebar}>
      <NavLink to={linkTo(paths.services)} className="brand" aria-label="AIRIS-MON">
        <Mark />
        <span>AIRIS-MON</span>
      </NavLink>
      <nav aria-label={messages.nav.label}>
        {[...groups].map(([group, entries]) => (
          <div key={group} role="group" aria-label={NAVIGATION_GROUPS[group][locale]}>
            {entries.map(({ id, path, icon, title, keys }) => (
              <Tip key={id} text={title[locale]} keys={keys} side="right" off={state === "open"}>
                <NavLink to={linkTo(path)} className="nav-link">
                  <Icon name={icon} />
                  <span>{title[locale]}</span>
                </NavLink>
              </Tip>
            ))}
          </div>
        ))}
      </nav>
      <div className="sidebar-foot">
        <Account />
        <IconButton
          icon="sidebar"
          label={toggle}
          side="right"
          className="button-quiet sidebar-toggle"
          onClick={() => setPreference("sidebar", state === "open" ? "closed" : "open")}
        />
      </div>
    </aside>
  );
}
