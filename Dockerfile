# One image recipe for every service: docker build --build-arg SERVICE=analytics .
# BASE is any Debian-like image with Python >= 3.11 and venv.
ARG BASE=python:3.13-slim-bookworm
ARG ASSETS=none

# Compiled here, because nothing can be written where the services run.
FROM ${BASE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/services.lock /build/services.lock
RUN python3 -m venv /opt/airis && /opt/airis/bin/pip install --no-deps --require-hashes -r /build/services.lock

# What all services share, in the same layers for all.
FROM ${BASE} AS common
COPY --from=dependencies /opt/airis /opt/airis
WORKDIR /app
ENV PATH=/opt/airis/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1
COPY contracts contracts
COPY schema schema
COPY libs/__init__.py libs/__init__.py
COPY libs/common libs/common
RUN python -m compileall -q libs

# The web UI, built with the Node that comes as a wheel, so that no second base image is needed.
FROM ${BASE} AS assets-ui
COPY requirements/web.lock /build/web.lock
RUN python3 -m venv /opt/node && /opt/node/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes -r /build/web.lock
# Whom the base image trusts, Node trusts: registries may sit behind a company's own authority.
ENV PATH=/opt/node/bin:$PATH NODE_USE_SYSTEM_CA=1
WORKDIR /build/services/ui/web
COPY services/ui/web/package.json services/ui/web/package-lock.json services/ui/web/.npmrc ./
RUN npm ci --no-audit --no-fund --omit=dev
COPY services/ui/web .
RUN npm run build && mv ../static /assets

FROM ${BASE} AS assets-none
RUN mkdir /assets

FROM assets-${ASSETS} AS assets

# docker build --target demo .
FROM common AS demo
COPY demo demo
RUN python -m compileall -q demo
USER 10001:10001
ENTRYPOINT ["python", "-m", "demo"]

FROM common AS service
ARG SERVICE
RUN test -n "$SERVICE" || (echo "build with --build-arg SERVICE=<name>" >&2; exit 1)
COPY services/__init__.py services/__init__.py
COPY services/${SERVICE} services/${SERVICE}
COPY --from=assets /assets services/ui/static
RUN python -m compileall -q services
ENV AIRIS_SERVICE=${SERVICE}
# What a service may keep, when a volume is mounted there; the rest of its root is read-only.
RUN install -d -o 10001 -g 10001 -m 700 /var/lib/airis
USER 10001:10001
ENTRYPOINT ["/bin/sh", "-c", "exec python -m services.$AIRIS_SERVICE \"$@\"", "--"]
