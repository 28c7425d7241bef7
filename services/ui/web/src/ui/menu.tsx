/** A button that opens a few choices of which one holds. */

import type { ReactNode } from "react";
import { Button, Header, Menu, MenuItem, MenuSection, MenuTrigger, Popover } from "react-aria-components";
import type { Choice } from "./choice";
import { keyOf, valueOf } from "./choice";
import { Icon } from "./icon";

interface ChoiceMenuProps<T extends string> {
  /** Content of the button, which `label` names. */
  button: ReactNode;
  label: string;
  className?: string;
  value: T;
  choices: readonly Choice<T>[];
  onChange: (value: T) => void;
}

export function ChoiceMenu<T extends string>(props: ChoiceMenuProps<T>): ReactNode {
  const { button, label, className = "button", value, choices, onChange } = props;
  return (
    <MenuTrigger>
      <Button className={className} aria-label={label}>
        {button}
      </Button>
      <Popover className="popover" placement="bottom end" offset={4}>
        <Menu className="menu" aria-label={label}>
          <MenuSection
            selectionMode="single"
            disallowEmptySelection
            selectedKeys={[keyOf(value)]}
            onSelectionChange={(keys) => {
              for (const key of keys) onChange(valueOf(key) as T);
            }}
          >
            <Header className="menu-heading">{label}</Header>
            {choices.map((choice) => (
              <MenuItem key={choice.value} id={keyOf(choice.value)} textValue={choice.label} className="menu-item">
                {({ isSelected }) => (
                  <>
                    <span className="truncate">{choice.label}</span>
                    {isSelected && (
                      <span className="menu-end">
                        <Icon name="check" />
                      </span>
                    )}
                  </>
                )}
              </MenuItem>
            ))}
          </MenuSection>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
