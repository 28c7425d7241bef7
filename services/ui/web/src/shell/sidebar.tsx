import type { ReactNode } from "react";
import { NavLink } from "react-router";
import { useLocale, useMessages } from "../i18n";
import { NAVIGATION, NAVIGATION_GROUPS, paths } from "../pages/registry";
import { setPreference, usePreference } from "../preferences/store";
import { useLinkTo } from "../url/params";
import { Icon } from "../ui/icon";
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
    <aside className="sidebar" data-state={state}>
      <NavLink to={linkTo(paths.services)} className="brand" aria-label="AIRIS-MON">
        <Mark />
        <span>AIRIS-MON</span>
      </NavLink>
      <nav aria-label={messages.nav.label}>
        {[...groups].map(([group, entries]) => (
          <div key={group} role="group" aria-label={NAVIGATION_GROUPS[group][locale]}>
            {entries.map(({ id, path, icon, title, keys }) => (
              <NavLink
                key={id}
                to={linkTo(path)}
                className="nav-link"
                data-tip={state === "closed" ? title[locale] : undefined}
                data-tip-key={keys}
                data-tip-side="right"
              >
                <Icon name={icon} />
                <span>{title[locale]}</span>
              </NavLink>
            ))}
          </div>
        ))}
      </nav>
      <div className="sidebar-foot">
        <Account />
        <button
          type="button"
          className="button button-quiet button-icon sidebar-toggle"
          aria-label={toggle}
          data-tip={toggle}
          data-tip-side="right"
          onClick={() => setPreference("sidebar", state === "open" ? "closed" : "open")}
        >
          <Icon name="sidebar" />
        </button>
      </div>
    </aside>
  );
}
