/** What a request ends with when it fails: an RFC 9457 problem, or what stands in for one when no server answered. */

export class Problem extends Error {
  constructor(
    /** The error id ("invalid-query"), or "network", "timeout", "unreadable" for failures on our side of the wire. */
    readonly id: string,
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly requestId: string,
    readonly extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(detail || title);
    this.name = "Problem";
  }

  /** Where the query text does not parse, in characters from its start; null for other problems. */
  get queryPosition(): number | null {
    const position = this.extra.position;
    return this.id === "invalid-query" && typeof position === "number" ? position : null;
  }

  get expected(): string {
    const expected = this.extra.expected;
    return typeof expected === "string" ? expected : "";
  }
}

/** Shown where the query is written instead of in place of what it would have found. */
export function doesNotParse(error: Problem | null): boolean {
  return error?.queryPosition !== null && error !== null;
}

/** The problem that a failed response carries, whatever its body looks like. */
export async function problemOf(response: Response): Promise<Problem> {
  const requestId = response.headers.get("x-request-id") ?? "";
  try {
    const body: unknown = await response.json();
    if (typeof body === "object" && body !== null && "title" in body) {
      const { type, title, detail, request_id: bodyId, ...extra } = body as Record<string, unknown>;
      return new Problem(
        text(type).replace(/^urn:airis:error:/, ""),
        response.status,
        text(title),
        text(detail),
        text(bodyId) || requestId,
        extra,
      );
    }
  } catch {
    // Not JSON: a proxy in between answered.
  }
  return new Problem("unreadable", response.status, "", `HTTP ${response.status} ${response.statusText}`.trim(), requestId);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
