"""The operator's desk: statistics, storage, backups, the check-up."""
