#!/bin/sh
# Settings from KAFKA_*, storage formatted under CLUSTER_ID the first time, then the broker.
set -u
config=/tmp/kafka-config
mkdir -p $config
said=$(java -cp '/opt/kafka/libs/*' kafka.docker.KafkaDockerWrapper setup \
    --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config --final-configs-dir $config 2>&1) \
    || case $said in *"already formatted"*) ;; *) echo "$said" >&2; exit 1 ;; esac
# shellcheck disable=SC2086 # several options in one variable, as Kafka's own scripts take them
exec java ${KAFKA_HEAP_OPTS:--Xmx512m} -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError -Dlog4j2.configurationFile=$config/log4j2.yaml \
    -cp '/opt/kafka/libs/*' kafka.Kafka $config/server.properties
