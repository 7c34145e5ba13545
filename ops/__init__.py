"""Running Leafstream: the one-command local stack, the broker without Docker, dashboards, Kubernetes."""
