import type { ReactNode } from "react";
import { NavLink } from "react-router";
import { useMessages } from "../i18n";
import { setPreference, usePreference } from "../preferences/store";
import { paths } from "../routes";
import { useLinkTo } from "../url/params";
import type { IconName } from "../ui/icon";
import { Icon } from "../ui/icon";
import { Account } from "./account";
import { Mark } from "./splash";

export function Sidebar(): ReactNode {
  const messages = useMessages();
  const linkTo = useLinkTo();
  const state = usePreference("sidebar", "open");
  const items: { to: string; icon: IconName; label: string; keys: string }[] = [
    { to: paths.services, icon: "services", label: messages.nav.services, keys: "g s" },
    { to: paths.traces, icon: "traces", label: messages.nav.traces, keys: "g t" },
    { to: paths.logs, icon: "logs", label: messages.nav.logs, keys: "g l" },
    { to: paths.metrics, icon: "metrics", label: messages.nav.metrics, keys: "g m" },
  ];
  const toggle = state === "open" ? messages.nav.collapse : messages.nav.expand;
  return (
    <aside className="sidebar" data-state={state}>
      <NavLink to={linkTo(paths.services)} className="brand" aria-label="AIRIS-MON">
        <Mark />
        <span>AIRIS-MON</span>
      </NavLink>
      <nav aria-label={messages.nav.label}>
        {items.map(({ to, icon, label, keys }) => (
          <NavLink
            key={to}
            to={linkTo(to)}
            className="nav-link"
            data-tip={state === "closed" ? label : undefined}
            data-tip-key={keys}
            data-tip-side="right"
          >
            <Icon name={icon} />
            <span>{label}</span>
          </NavLink>
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
