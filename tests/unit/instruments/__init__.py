"""Tests of the test instruments: each must stay silent on right input and find what is broken."""
