"""A primary's side: the replicas attached to it, what each is sent, who waits for them."""
