"""demo of AIRIS-MON."""
