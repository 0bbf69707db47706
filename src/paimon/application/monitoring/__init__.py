"""What is measured of the house: by one query of the database, and one look at the chain."""
