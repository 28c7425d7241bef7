"""embedded of AIRIS-MON."""
