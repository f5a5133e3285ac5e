"""RTMP ingest on the vocabulary of pyrtmp, with a bounded chunk reader of our own."""
