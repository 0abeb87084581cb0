"""Map over shards and reduce."""
