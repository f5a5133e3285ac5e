"""Whether everything the site needs is there and well: one module for each kind of thing."""
