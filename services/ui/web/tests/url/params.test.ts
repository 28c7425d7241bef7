import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changed, linkSearch, safeReturn } from "../../src/url/params";

describe("changed", () => {
  it("sets, removes and keeps", () => {
    expect(changed("?a=1&b=2", { b: null, c: "x y", d: "" })).toBe("?a=1&c=x+y");
    expect(changed("?a=1", { a: null })).toBe("");
  });

  it("reads back any text", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (value) => {
        expect(new URLSearchParams(changed("?from=now-1h", { q: value })).get("q")).toBe(value);
      }),
    );
  });
});

it("links keep what all pages share and nothing else", () => {
  expect(linkSearch("?from=now-3h&to=now&service=cart&tz=UTC&refresh=10s", { q: "x" })).toBe(
    "?from=now-3h&to=now&tz=UTC&refresh=10s&q=x",
  );
  expect(linkSearch("", {})).toBe("");
  expect(linkSearch("?from=now-3h", { from: null })).toBe("");
});

describe("safeReturn", () => {
  it.each(["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "", null, "/sign-in?return=%2F"])(
    "refuses %j",
    (text) => {
      expect(safeReturn(text)).toBe("/");
    },
  );

  it("keeps our own paths with their query", () => {
    expect(safeReturn("/traces/abc?span=1#x")).toBe("/traces/abc?span=1#x");
  });

  it("never leaves the origin", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(new URL(safeReturn(text), "https://airis.example").origin).toBe("https://airis.example");
      }),
    );
  });
});
