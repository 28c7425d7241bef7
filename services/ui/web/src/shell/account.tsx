/** Theme, language, who is signed in. */

import type { ReactNode } from "react";
import type { Locale } from "../i18n";
import { LOCALE_NAMES, setLocale, useLocale, useMessages } from "../i18n";
import type { ThemeChoice } from "../preferences/theme";
import { useThemeChoice } from "../preferences/theme";
import { Icon } from "../ui/icon";
import { Popover } from "../ui/popover";
import { Segmented } from "../ui/segmented";
import { useSession, useSignOut } from "./session";

export function Account(): ReactNode {
  const { account } = useMessages();
  const me = useSession();
  const signOut = useSignOut();
  return (
    <Popover
      className="account-button"
      label={account.label}
      named
      placement="top start"
      popoverClassName="account-popover"
      button={
        <>
          <span className="avatar" aria-hidden>
            {me.email.slice(0, 1).toUpperCase()}
          </span>
          <span className="visually-hidden">{account.label}: </span>
          <span className="account-text">
            <span className="truncate">{me.email}</span>
            <span className="truncate muted">{me.tenant.name}</span>
          </span>
        </>
      }
    >
      <div className="account-head">
        <strong className="truncate">{me.email}</strong>
        <span className="muted">
          {me.tenant.name} · {me.roles.join(", ")}
        </span>
      </div>
      <div className="account-settings">
        <Appearance />
      </div>
      <button type="button" className="menu-item account-sign-out" onClick={() => void signOut()}>
        <Icon name="signOut" />
        {account.signOut}
      </button>
    </Popover>
  );
}

/** Theme and language; the sign-in page has them as well. */
export function Appearance(): ReactNode {
  const { account } = useMessages();
  const [theme, setTheme] = useThemeChoice();
  const locale = useLocale();
  return (
    <>
      <div className="setting">
        <span>{account.theme}</span>
        <Segmented<ThemeChoice>
          label={account.theme}
          value={theme}
          onChange={setTheme}
          choices={(["system", "light", "dark"] as const).map((value) => ({ value, label: account.themes[value] }))}
        />
      </div>
      <div className="setting">
        <span>{account.language}</span>
        <Segmented<Locale>
          label={account.language}
          value={locale}
          onChange={setLocale}
          choices={(["en", "ko"] as const).map((value) => ({ value, label: LOCALE_NAMES[value] }))}
        />
      </div>
    </>
  );
}

/** One button for pages without the account menu. */
export function LanguageToggle(): ReactNode {
  const locale = useLocale();
  const other: Locale = locale === "en" ? "ko" : "en";
  return (
    <button type="button" className="button button-quiet" lang={other} onClick={() => setLocale(other)}>
      <Icon name="globe" />
      {LOCALE_NAMES[other]}
    </button>
  );
}
