# The store where no image registry is reachable: the ClickHouse HTTP front of embedded over chDB.
ARG BASE
# As in Dockerfile, so that the layer is shared.
FROM ${BASE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/services.lock /build/services.lock
RUN python3 -m venv /opt/airis && /opt/airis/bin/pip install --no-deps --require-hashes -r /build/services.lock

FROM ${BASE}
COPY --from=dependencies /opt/airis /opt/airis
COPY requirements/run.lock /build/run.lock
# What the front needs beyond the services: a lock's entry is a line and the indented lines below it.
RUN awk '/^[^ ]/ {wanted = /^(chdb|chdb-core|numpy|pandas|psutil|pyarrow|python-dateutil)==/} wanted' /build/run.lock >/build/engine.lock \
    && /opt/airis/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes -r /build/engine.lock
WORKDIR /app
COPY libs/__init__.py libs/__init__.py
COPY libs/common libs/common
COPY embedded embedded
COPY schema/clickhouse/accounts.xml schema/clickhouse/accounts.xml
RUN /opt/airis/bin/python -m compileall -q libs \
    && useradd --uid 10001 --create-home clickhouse && mkdir -p /var/lib/clickhouse && chown clickhouse: /var/lib/clickhouse
ENV PATH=/opt/airis/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1
USER clickhouse
VOLUME /var/lib/clickhouse
CMD ["python", "-m", "embedded.clickhouse_front", "--host", "0.0.0.0", "--port", "8123", "--path", "/var/lib/clickhouse"]
