"""What people are told in the site and by mail."""
