"""What once was a bug, each by the smallest input that showed it."""
