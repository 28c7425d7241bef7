/** A service has one colour wherever it is shown, worked out from its name, so that nobody has to agree on it. */

import type { ReactNode } from "react";
import { cssVars } from "./small";

export const CATEGORY_COUNT = 12;

/** FNV-1a: few lines, and spreads names that differ in one letter. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}

export function serviceSlot(service: string): number {
  return hash(service) % CATEGORY_COUNT;
}

/** Slots for the services of one picture: each keeps its own unless an earlier name took it, so that none look alike. */
export function serviceSlots(services: readonly string[]): Map<string, number> {
  const slots = new Map<string, number>();
  const taken = new Set<number>();
  for (const service of services.toSorted()) {
    let slot = serviceSlot(service);
    for (let tries = 0; taken.has(slot) && tries < CATEGORY_COUNT; tries += 1) slot = (slot + 5) % CATEGORY_COUNT;
    taken.add(slot);
    slots.set(service, slot);
  }
  return slots;
}

export function categoryVar(slot: number): string {
  return `var(--cat-${slot % CATEGORY_COUNT})`;
}

export function ServiceDot({ service, slot }: { service: string; slot?: number | undefined }): ReactNode {
  return <span className="service-dot" style={cssVars({ "--service": categoryVar(slot ?? serviceSlot(service)) })} aria-hidden />;
}

export function ServiceName({ service, slot }: { service: string; slot?: number | undefined }): ReactNode {
  return (
    <span className="service-name">
      <ServiceDot service={service} slot={slot} />
      <span className="truncate">{service}</span>
    </span>
  );
}
