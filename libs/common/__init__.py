"""common of AIRIS-MON."""
