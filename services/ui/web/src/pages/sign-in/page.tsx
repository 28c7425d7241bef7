import { useQueryClient } from "@tanstack/react-query";
import type { ReactNode, SubmitEvent } from "react";
import { useEffect, useState } from "react";
import { useNavigate } from "react-router";
import { post } from "../../api/client";
import { Problem } from "../../api/problem";
import { LOCALE_NAMES, setLocale, useLocale, useMessages } from "../../i18n";
import { setPreference } from "../../preferences/store";
import { useTheme } from "../../preferences/theme";
import { Mark } from "../../shell/splash";
import { Icon } from "../../ui/icon";
import { errorTexts } from "../../ui/states";
import { safeReturn, useParam } from "../../url/params";
import "./page.css";

export default function SignInPage(): ReactNode {
  const messages = useMessages();
  const { signIn } = messages;
  const locale = useLocale();
  const theme = useTheme();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const back = safeReturn(useParam("return"));
  const expired = useParam("expired") !== "";
  const [shown, setShown] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState("");
  const other = locale === "en" ? "ko" : "en";

  useEffect(() => {
    document.title = `${signIn.submit} · AIRIS-MON`;
  }, [signIn]);

  const submit = async (event: SubmitEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setRefusal("");
    try {
      await post("/api/v1/auth/sign-in", { body: { email: text(form, "email"), password: text(form, "password") } });
      queries.clear();
      await navigate(back, { replace: true });
    } catch (error) {
      if (error instanceof Problem && error.status === 401) setRefusal(signIn.refused);
      else if (error instanceof Problem && error.status === 429) setRefusal(signIn.tooMany);
      else if (error instanceof Error) setRefusal(Object.values(errorTexts(error, messages)).filter(Boolean).join(". "));
    } finally {
      setBusy(false);
    }
  };

  return (
    <main className="sign-in">
      <form className="sign-in-card" onSubmit={(event) => void submit(event)}>
        <Mark />
        <div>
          <h1>{signIn.title}</h1>
          <p className="muted">{expired ? signIn.expired : signIn.subtitle}</p>
        </div>
        <label className="field-label">
          {signIn.email}
          <span className="field">
            <input name="email" type="email" autoComplete="username" required autoFocus />
          </span>
        </label>
        <label className="field-label">
          {signIn.password}
          <span className="field" data-invalid={refusal !== ""}>
            <input name="password" type={shown ? "text" : "password"} autoComplete="current-password" required />
            <button type="button" aria-label={shown ? signIn.hide : signIn.show} aria-pressed={shown} onClick={() => setShown(!shown)}>
              <Icon name="eye" />
            </button>
          </span>
        </label>
        {refusal !== "" && (
          <p className="field-error" role="alert">
            {refusal}
          </p>
        )}
        <button type="submit" className="button button-primary" disabled={busy}>
          {busy ? signIn.submitting : signIn.submit}
        </button>
        <div className="sign-in-foot">
          <button type="button" className="button button-quiet button-small" lang={other} onClick={() => setLocale(other)}>
            <Icon name="globe" />
            {LOCALE_NAMES[other]}
          </button>
          <button
            type="button"
            className="button button-quiet button-small"
            onClick={() => setPreference("theme", theme === "dark" ? "light" : "dark")}
          >
            <Icon name={theme === "dark" ? "sun" : "moon"} />
            {messages.account.themes[theme === "dark" ? "light" : "dark"]}
          </button>
        </div>
      </form>
    </main>
  );
}

function text(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value : "";
}
