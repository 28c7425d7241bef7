import type { ReactNode } from "react";
import { useMemo } from "react";
import { useMessages } from "../i18n";
import type { Option } from "../ui/select";
import { Select } from "../ui/select";
import { useTime } from "./context";
import { ianaName, offsetLabel } from "./zone";

export function ZoneSelect(): ReactNode {
  const { time } = useMessages();
  const { zone, setZone, interval } = useTime();
  const { toMs } = interval;
  const options = useMemo((): Option[] => {
    const named = Intl.supportedValuesOf("timeZone").map((name) => ({ value: name, label: name, detail: offsetLabel(toMs, name) }));
    return [
      { value: "local", label: `${time.local} · ${ianaName("local")}`, detail: offsetLabel(toMs, "local") },
      { value: "UTC", label: "UTC" },
      ...named.filter(({ value }) => value !== "UTC"),
    ];
  }, [time.local, toMs]);
  return (
    <div className="time-zone">
      <span>{time.zone}</span>
      <Select label={time.zone} value={zone} options={options} onChange={setZone} placeholder={zone} className="button-small" />
    </div>
  );
}
