import { describe, expect, it } from "vitest";
import type { AttributeValue } from "../../src/format/attribute";
import { attributePairs, attributeTerm, attributeText, attributeType, jsonText } from "../../src/format/attribute";
import { formatCompact, formatCount, formatInUnit, formatRate, formatRatio, rateUnit } from "../../src/format/number";
import { en } from "../../src/i18n/en";
import { formatDateTime, formatLogTime, formatNanos } from "../../src/format/instant";

describe("attribute values", () => {
  it.each<[AttributeValue, string, string]>([
    ["text", "text", "string"],
    [5, "5", "int"],
    [1.5, "1.5", "double"],
    [true, "true", "bool"],
    [null, "null", "empty"],
    [{ $int: "9223372036854775807" }, "9223372036854775807", "int"],
    [{ $double: "-Infinity" }, "-Infinity", "double"],
    [{ $bytes: "AAE=" }, "base64:AAE=", "bytes"],
    [[1, "a", { $int: "9007199254740993" }], '[1, "a", 9007199254740993]', "array"],
    [{ a: { b: [] } }, '{"a": {"b": []}}', "map"],
    [{ $kvlist: [["$x", 1], ["$x", 2]] }, '{"$x": 1, "$x": 2}', "map"],
  ])("%j", (value, text, type) => {
    expect(attributeText(value)).toBe(text);
    expect(attributeType(value)).toBe(type);
  });

  it("indents structures", () => {
    expect(jsonText({ a: [1], b: {} }, " ")).toBe('{\n   "a": [\n     1\n   ],\n   "b": {}\n }');
  });

  it("keeps a key that was sent twice", () => {
    expect(attributePairs({ a: 1, b: 2 })).toEqual([["a", 1], ["b", 2]]);
    expect(attributePairs({ $kvlist: [["a", 1], ["a", 2]] })).toEqual([["a", 1], ["a", 2]]);
  });

  it("makes terms of what the language can compare", () => {
    expect(attributeTerm("a", "=", { $int: "9223372036854775807" })).toBe("a=9223372036854775807");
    expect(attributeTerm("a", "!=", "x y")).toBe('a!="x y"');
    expect(attributeTerm("a", "=", true)).toBe("a=true");
    expect(attributeTerm("a", "=", [1])).toBeNull();
    expect(attributeTerm("a", "=", null)).toBeNull();
  });
});

describe("numbers", () => {
  it.each([
    [120, [120, 0.0078], ["120/s", "0.0078/s"]],
    [0.295, [0.295, 0.0078, 0], ["17.7/min", "0.468/min", "0/min"]],
    [0.0011, [0.0011], ["3.96/h"]],
    [0, [0], ["0/s"]],
  ])("shows rates up to %d per second in one unit", (highest, values, texts) => {
    const unit = rateUnit(highest, en.common);
    expect(values.map((value) => formatRate(value, unit, "en"))).toEqual(texts);
  });

  it("never rounds a rare error to zero", () => {
    expect(formatRatio(0, "en")).toBe("0%");
    expect(formatRatio(0.000001, "en")).toBe("<0.01%");
    expect(formatRatio(0.01234, "en")).toBe("1.23%");
    expect(formatRatio(0.5, "ko")).toBe("50%");
  });

  it("speaks both languages", () => {
    expect(formatCompact(123_456, "en")).toBe("123K");
    expect(formatCompact(123_456, "ko")).toBe("12.3만");
    expect(formatCompact(0.5, "en")).toBe("0.5");
    expect(formatCompact(0.00781, "en")).toBe("0.0078");
    expect(formatCompact(0.00001, "en")).toBe("1.0e-5");
    expect(formatCompact(2640, "ko")).toBe("2,640");
    expect(formatCount(2n ** 64n, "en")).toBe("18,446,744,073,709,551,616");
  });

  it.each([
    [1536, "By", "1.5 KiB"],
    [0, "By", "0 B"],
    [0.0123, "s", "12.3 ms"],
    [250, "ms", "250 ms"],
    [3, "{request}", "3"],
    [2048, "By/s", "2 KiB/s"],
    [4, "{request}/s", "4/s"],
    [12, "1", "12"],
  ])("%d %s", (value, unit, text) => {
    expect(formatInUnit(value, unit, "en")).toBe(text);
  });
});

it("writes instants in the chosen zone, to the nanosecond", () => {
  expect(formatDateTime(0, "Asia/Seoul")).toBe("1970-01-01 09:00:00");
  expect(formatNanos(1_700_000_000_123_456_789n, "UTC")).toBe("2023-11-14 22:13:20.123456789");
  expect(formatLogTime(1_700_000_000_123_456_789n, "UTC")).toBe("11-14 22:13:20.123");
});
