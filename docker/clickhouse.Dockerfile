# The store where no image registry is reachable: the ClickHouse HTTP front of libs/embedded over chDB.
ARG BASE
FROM ${BASE}
COPY requirements/run.lock /build/run.lock
RUN python3 -m venv /opt/airis && /opt/airis/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes -r /build/run.lock
WORKDIR /app
COPY libs libs
RUN useradd --uid 10001 --create-home clickhouse && mkdir -p /var/lib/clickhouse && chown clickhouse /var/lib/clickhouse
ENV PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
VOLUME /var/lib/clickhouse
CMD ["/opt/airis/bin/python", "-m", "libs.embedded.clickhouse_front", "--host", "0.0.0.0", "--port", "8123", "--path", "/var/lib/clickhouse"]
