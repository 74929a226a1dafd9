"""What edgecam promises, held against brokers, links and processes that die."""
