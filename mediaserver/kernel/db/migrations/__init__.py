"""The schema's history; kernel/db/migrate.py runs what is pending."""
