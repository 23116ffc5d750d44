"""What one sentinel knows: groups of nodes, who watches them, how each can be reached, and how far a failover is.

Data and its invariants only. Nothing here decides, resolves a name, or knows how the data came here. Times are
milliseconds of whatever clock the caller passes as `now`; 0 means "never".
"""
