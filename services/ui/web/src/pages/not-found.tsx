import type { ReactNode } from "react";
import { Link } from "react-router";
import { useMessages } from "../i18n";
import { paths } from "./registry";
import { PageTitle } from "../shell/top-bar";
import { Empty } from "../ui/states";

export function NotFoundPage(): ReactNode {
  const { error } = useMessages();
  return (
    <>
      <PageTitle text={error.notFound}>404</PageTitle>
      <Empty icon="help" title={error.notFound} detail={error.notFoundDetail}>
        <Link className="button" to={paths.services}>
          {error.home}
        </Link>
      </Empty>
    </>
  );
}
