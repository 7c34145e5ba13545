"""The contract every service meets: topics, events, Redis views, experiments, model cards. Imports no other room."""
