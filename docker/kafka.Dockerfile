# A real broker where no image registry is reachable: Apache Kafka's own jars (from tests/fixtures/kafka/pom.xml) on Debian's JRE.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends default-jre-headless && rm -rf /var/lib/apt/lists/*
COPY --from=jars . /opt/kafka/libs
COPY docker/kafka-start.sh /opt/kafka/start.sh
RUN useradd --uid 10001 --create-home kafka && mkdir -p /var/lib/kafka && chown kafka /var/lib/kafka
USER 10001
VOLUME /var/lib/kafka
CMD ["sh", "/opt/kafka/start.sh"]
