import type { ReactNode } from "react";
import { ToggleButton, ToggleButtonGroup } from "react-aria-components";
import type { Choice } from "./choice";
import { keyOf, valueOf } from "./choice";

/** A few choices, all in sight, of which one holds. */
export function Segmented<T extends string>(props: {
  label: string;
  value: T;
  choices: readonly Choice<T>[];
  onChange: (value: T) => void;
}): ReactNode {
  const { label, value, choices, onChange } = props;
  return (
    <ToggleButtonGroup
      className="segmented"
      aria-label={label}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[keyOf(value)]}
      onSelectionChange={(keys) => {
        for (const key of keys) onChange(valueOf(key) as T);
      }}
    >
      {choices.map((choice) => (
        <ToggleButton key={choice.value} id={keyOf(choice.value)}>
          {choice.label}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}
