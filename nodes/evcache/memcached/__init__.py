"""memcached's meta protocol and one connection that speaks it. It knows no zones, keys or values' meaning."""
