"""Image event -> prediction event: a consumer group of Faust workers that decode, route, batch and infer."""
