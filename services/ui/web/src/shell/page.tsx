/** The frame of every page: its title in the bar above, filters and actions, then what it shows. */

import type { ReactNode } from "react";
import { Link } from "react-router";
import { useLocale } from "../i18n";
import type { PageId } from "../pages/registry";
import { PAGES } from "../pages/registry";
import { Icon } from "../ui/icon";
import { useLinkTo } from "../url/params";
import { PageTitle } from "./top-bar";

interface PageProps {
  id: PageId;
  /** What the page is about, for the browser's tab; without one it is the page's title. */
  about?: string;
  /** In place of the title. */
  heading?: ReactNode;
  /** The page one came from, in all likelihood. */
  parent?: "services" | "traces";
  /** One row of controls each. */
  filters?: ReactNode;
  search?: ReactNode;
  /** At the end of the first row. */
  end?: ReactNode;
  /** Takes the window's height, and its last part scrolls. */
  fill?: boolean;
  children: ReactNode;
}

/** The page's name in the language of the reader. */
export function useTitle(id: PageId): string {
  const locale = useLocale();
  return PAGES[id].title[locale];
}

export function Page({ id, about, heading, parent, filters, search, end, fill = false, children }: PageProps): ReactNode {
  const title = useTitle(id);
  return (
    <div className={`page ${fill ? "page-fill" : ""}`}>
      <Heading title={about ?? title} {...(parent && { parent })}>
        {heading ?? title}
      </Heading>
      {(filters !== undefined || end !== undefined) && (
        <div className="toolbar">
          {filters}
          {end !== undefined && <span className="toolbar-end">{end}</span>}
        </div>
      )}
      {search !== undefined && <div className="toolbar">{search}</div>}
      {children}
    </div>
  );
}

/** For the pages whose body has a layout of its own. */
export function Heading({ title, parent, children }: { title: string; parent?: "services" | "traces"; children: ReactNode }): ReactNode {
  const locale = useLocale();
  const linkTo = useLinkTo();
  return (
    <PageTitle text={title}>
      {parent && (
        <Link to={linkTo(PAGES[parent].path)} className="muted" aria-label={PAGES[parent].title[locale]}>
          <Icon name="chevronLeft" />
        </Link>
      )}
      {children}
    </PageTitle>
  );
}
