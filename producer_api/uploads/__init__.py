"""Taking photographs in: read, normalise, publish, and turn away what can't be worked off."""
