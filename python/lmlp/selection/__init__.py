"""Which structures are drawn, parked, or suspected of wrong labels."""
