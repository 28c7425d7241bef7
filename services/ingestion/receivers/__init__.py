"""The receiving half of ingestion: from a sender's connection to the bus.

`http_server` and `grpc_server` listen; each request of every protocol goes through `reception`. A protocol is a folder here
that describes its endpoints (`protocol.Endpoint`): where it is reached, how a body becomes OTLP, what is answered.
"""
