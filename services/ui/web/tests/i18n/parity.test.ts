import { describe, expect, it } from "vitest";
import { en } from "../../src/i18n/en";
import { ko } from "../../src/i18n/ko";

type Tree = Record<string, unknown>;

function shape(tree: Tree, path = ""): string[] {
  return Object.entries(tree).flatMap(([key, value]) => {
    const here = path ? `${path}.${key}` : key;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return shape(value as Tree, here);
    return [`${here}: ${Array.isArray(value) ? `list of ${value.length}` : typeof value}`];
  });
}

function texts(tree: Tree, path = ""): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]): [string, string][] => {
    const here = path ? `${path}.${key}` : key;
    if (typeof value === "string") return [[here, value]];
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return texts(value as Tree, here);
    return [];
  });
}

describe("dictionaries", () => {
  it("have the same keys of the same kind", () => {
    expect(shape(ko)).toEqual(shape(en));
  });

  it("have no empty text but where English has none either", () => {
    const empty = (tree: Tree) => texts(tree).filter(([, text]) => text.trim() === "").map(([path]) => path);
    expect(empty(ko)).toEqual(empty(en));
  });

  it("are translated: what stays Latin is a name, a symbol or an example", () => {
    const same = new Set(
      texts(ko).filter(([path, text]) => !/[가-힣]/.test(text) && text.trim() !== "" && !path.startsWith("start.languages.")).map(([path]) => path),
    );
    expect([...same].sort()).toEqual([
      "query.logs",
      "query.traces",
      "red.p50",
      "red.p95",
      "red.p99",
      "start.endpointGrpc",
      "start.endpointHttp",
      "traces.durationPlaceholder",
    ]);
  });

  it("count in both languages", () => {
    expect(en.traces.spans(1)).toBe("1 span");
    expect(en.traces.spans(1234)).toBe("1,234 spans");
    expect(ko.traces.spans(1234)).toBe("스팬 1,234개");
  });
});
