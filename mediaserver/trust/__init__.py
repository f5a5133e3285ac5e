"""Reports, evidence, warnings, bans and appeals."""
