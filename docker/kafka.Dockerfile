# A real broker where no image registry is reachable: Apache Kafka's own jars (from tests/fixtures/kafka/pom.xml) on Debian's
# JRE. KAFKA_* variables become properties by the class that does it in the official image.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends default-jre-headless && rm -rf /var/lib/apt/lists/*
COPY --from=jars . /opt/kafka/libs
COPY docker/kafka-log4j2.yaml /etc/kafka/docker/log4j2.yaml
COPY docker/kafka-log4j2.yaml /etc/kafka/docker/tools-log4j2.yaml
COPY docker/kafka-start.sh /opt/kafka/start.sh
RUN useradd --uid 10001 --create-home appuser && mkdir -p /var/lib/kafka/data && chown -R appuser: /var/lib/kafka
USER appuser
VOLUME /var/lib/kafka/data
CMD ["sh", "/opt/kafka/start.sh"]
