"""The promises under fire: services are killed while photographs flow, then everything is counted."""
