# One image recipe for every service: docker build --build-arg SERVICE=analytics .
# BASE is any Debian-like image with Python >= 3.11 and venv.
ARG BASE=python:3.13-slim-bookworm
ARG ASSETS=none

FROM ${BASE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/services.lock /build/services.lock
RUN python3 -m venv /opt/airis && /opt/airis/bin/pip install --no-compile --no-deps --require-hashes -r /build/services.lock

FROM ${BASE} AS assets-none
RUN mkdir -p /assets

# The web UI, built with the Node that comes as a wheel, so that no second base image is needed.
FROM ${BASE} AS assets-ui
COPY requirements/web.lock /build/web.lock
RUN python3 -m venv /opt/node && /opt/node/bin/pip install --no-cache-dir --no-deps --require-hashes -r /build/web.lock
COPY services/ui/web /build/services/ui/web
RUN cd /build/services/ui/web && PATH=/opt/node/bin:$PATH npm ci --no-audit --no-fund && PATH=/opt/node/bin:$PATH npm run build \
    && mv /build/services/ui/static /assets

FROM assets-${ASSETS} AS assets

FROM ${BASE}
ARG SERVICE
RUN test -n "$SERVICE" || (echo "build with --build-arg SERVICE=<name>" >&2; exit 1)
COPY --from=dependencies /opt/airis /opt/airis
WORKDIR /app
COPY contracts contracts
COPY schema schema
COPY libs/__init__.py libs/__init__.py
COPY libs/common libs/common
COPY services/__init__.py services/__init__.py
COPY services/${SERVICE} services/${SERVICE}
COPY --from=assets /assets services/ui/static
ENV PATH=/opt/airis/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 AIRIS_SERVICE=${SERVICE}
USER 10001:10001
ENTRYPOINT ["/bin/sh", "-c", "exec python -m services.$AIRIS_SERVICE \"$@\"", "--"]
