"""A replica's side: joining a primary, taking its data set, applying its stream."""
