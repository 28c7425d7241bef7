"""ingestion of AIRIS-MON."""
