# The control store where no image registry is reachable: Debian's postgresql.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /var/lib/postgresql/data && chown postgres:postgres /var/lib/postgresql/data
COPY docker/postgres-start.sh k8s/base/postgresql/roles.sh /opt/airis/
USER postgres
WORKDIR /var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
CMD ["sh", "/opt/airis/postgres-start.sh"]
