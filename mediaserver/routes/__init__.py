"""Everything that answers HTTP: parse, one call, render."""
