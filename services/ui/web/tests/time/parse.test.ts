import { describe, expect, it } from "vitest";
import { parseTypedRange } from "../../src/time/parse";

// Tuesday 2026-11-24 05:30 UTC = 14:30 in Seoul.
const NOW = Date.UTC(2026, 10, 24, 5, 30);

function utc(text: string): string | null {
  const range = parseTypedRange(text, NOW, "UTC");
  return range && `${range.from} ${range.to}`;
}

function seoul(text: string): string | null {
  const range = parseTypedRange(text, NOW, "Asia/Seoul");
  return range && `${range.from} ${range.to}`;
}

describe("parseTypedRange", () => {
  it.each([
    ["3h", "now-3h now"],
    ["90 min", "now-90m now"],
    ["1.5h", "now-1.5h now"],
    ["last 2 days", "now-2d now"],
    ["past hour", "now-1h now"],
    ["2w", "now-14d now"],
    ["최근 30분", "now-30m now"],
    ["3시간", "now-3h now"],
    ["지난 2일", "now-2d now"],
  ])("%s stays relative", (text, expected) => {
    expect(utc(text)).toBe(expected);
  });

  it.each([
    ["today", "2026-11-24T00:00:00.000Z 2026-11-24T05:30:00.000Z"],
    ["yesterday", "2026-11-23T00:00:00.000Z 2026-11-24T00:00:00.000Z"],
    ["yesterday 2pm-4pm", "2026-11-23T14:00:00.000Z 2026-11-23T16:00:00.000Z"],
    ["yesterday 2-4pm", "2026-11-23T14:00:00.000Z 2026-11-23T16:00:00.000Z"],
    ["yesterday 11am to 2pm", "2026-11-23T11:00:00.000Z 2026-11-23T14:00:00.000Z"],
    ["03:00-04:30", "2026-11-24T03:00:00.000Z 2026-11-24T04:30:00.000Z"],
    ["yesterday 22:00 – 02:00", "2026-11-23T22:00:00.000Z 2026-11-24T02:00:00.000Z"],
    ["2026-11-20", "2026-11-20T00:00:00.000Z 2026-11-21T00:00:00.000Z"],
    ["2026-11-20 - 2026-11-21", "2026-11-20T00:00:00.000Z 2026-11-22T00:00:00.000Z"],
    ["2026-11-20 10:00 to 2026-11-21 11:15:30", "2026-11-20T10:00:00.000Z 2026-11-21T11:15:30.000Z"],
    ["2026-11-20 10:00 - 11:00", "2026-11-20T10:00:00.000Z 2026-11-20T11:00:00.000Z"],
    ["11-20 10:00 ~ 11:00", "2026-11-20T10:00:00.000Z 2026-11-20T11:00:00.000Z"],
    ["yesterday 2pm to now", "2026-11-23T14:00:00.000Z 2026-11-24T05:30:00.000Z"],
    ["04:00", "2026-11-24T04:00:00.000Z 2026-11-24T05:30:00.000Z"],
  ])("%s in UTC", (text, expected) => {
    expect(utc(text)).toBe(expected);
  });

  it.each([
    ["어제 오후 2시~4시", "2026-11-23T05:00:00.000Z 2026-11-23T07:00:00.000Z"],
    ["어제 오전 9시부터 오후 1시까지", "2026-11-23T00:00:00.000Z 2026-11-23T04:00:00.000Z"],
    ["11월 20일 오후 3시 30분 ~ 4시", "2026-11-20T06:30:00.000Z 2026-11-20T07:00:00.000Z"],
    ["오늘", "2026-11-23T15:00:00.000Z 2026-11-24T05:30:00.000Z"],
    ["그제", "2026-11-21T15:00:00.000Z 2026-11-22T15:00:00.000Z"],
  ])("%s in Seoul", (text, expected) => {
    expect(seoul(text)).toBe(expected);
  });

  it("clamps the end to now and refuses what lies ahead", () => {
    expect(utc("2026-11-24 05:00 - 09:00")).toBe("2026-11-24T05:00:00.000Z 2026-11-24T05:30:00.000Z");
    expect(utc("2026-12-01")).toBeNull();
  });

  it.each(["", "h", "soon", "25:00-26:00", "2026-13-01", "13pm", "0h", "2026-02-30"])("refuses %j", (text) => {
    expect(utc(text)).toBeNull();
  });
});
