"""What people decide about reactions that were given up and logs in quarantine."""
