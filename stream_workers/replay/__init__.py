"""The past again: a part of the images log computed anew under a run's name, and what that changed."""
