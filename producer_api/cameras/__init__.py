"""What camera feeds brought, for whoever has the key."""
