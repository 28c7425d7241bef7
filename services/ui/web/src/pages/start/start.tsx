/** Before any data: how to send the first span, with this installation's own addresses, and a sign when it has arrived. */

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useState } from "react";
import { get, post } from "../../api/client";
import { useMessages } from "../../i18n";
import { useSession } from "../../shell/session";
import { useTime } from "../../time/context";
import { ErrorNote } from "../../ui/states";
import { Segmented } from "../../ui/segmented";
import { CopyButton } from "../../ui/small";
import { Icon } from "../../ui/icon";
import { snippet, type Language } from "./snippets";
import "./start.css";

const LANGUAGES: readonly Language[] = ["python", "java", "node", "go", "collector"];
const POLL_MS = 2_000;

export function Start(): ReactNode {
  const { start } = useMessages();
  const me = useSession();
  const { refresh } = useTime();
  const [language, setLanguage] = useState<Language>("python");
  const [key, setKey] = useState("");
  const [failure, setFailure] = useState<Error | null>(null);
  const http = me.otlp?.http ?? `${window.location.protocol}//${window.location.hostname}:4318`;
  const grpc = me.otlp?.grpc ?? `${window.location.hostname}:4317`;
  const arrival = useQuery<boolean>({
    queryKey: ["first-span"],
    queryFn: async ({ signal }) => (await get("/api/v1/services", {}, signal)).services.length > 0,
    refetchInterval: POLL_MS,
  });
  const createKey = async (): Promise<void> => {
    setFailure(null);
    try {
      const { data } = await post("/api/v1/api-keys", { body: { name: "first span", scopes: ["ingest"] } });
      if (data) setKey(data.key);
    } catch (error) {
      if (error instanceof Error) setFailure(error);
    }
  };
  const code = snippet(language, http, key || start.keyPlaceholder);
  return (
    <section className="start">
      <div>
        <h2>{start.title}</h2>
        <p className="muted">{start.subtitle}</p>
      </div>
      <p className="start-waiting" role="status">
        {arrival.data ? <Icon name="check" /> : <span className="spinner" />}
        {arrival.data ? start.arrived : start.waiting}
        {arrival.data && (
          <button type="button" className="button button-primary button-small" onClick={refresh}>
            {start.open}
          </button>
        )}
      </p>
      <dl className="pairs">
        <dt>{start.endpointHttp}</dt>
        <dd>
          <span className="value mono">{http}</span>
          <CopyButton text={http} />
        </dd>
        <dt>{start.endpointGrpc}</dt>
        <dd>
          <span className="value mono">{grpc}</span>
          <CopyButton text={grpc} />
        </dd>
        <dt>{start.key}</dt>
        <dd>
          <span className="value">{key ? <code>{key}</code> : me.roles.includes("admin") ? start.keyDetail : start.keyForbidden}</span>
          {key && <CopyButton text={key} />}
          {!key && me.roles.includes("admin") && (
            <button type="button" className="button button-small" onClick={() => void createKey()}>
              <Icon name="key" />
              {start.createKey}
            </button>
          )}
        </dd>
      </dl>
      {key && <p className="muted">{start.keyMade}</p>}
      {failure && <ErrorNote error={failure} />}
      <Segmented
        label={start.configure}
        value={language}
        choices={LANGUAGES.map((value) => ({ value, label: start.languages[value] }))}
        onChange={setLanguage}
      />
      <div className="snippet">
        <pre className="mono">{code}</pre>
        <CopyButton text={code} />
      </div>
    </section>
  );
}
