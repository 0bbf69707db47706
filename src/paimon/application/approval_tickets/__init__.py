"""Approval tickets in the database, and what the signatures of a Safe's owners make of the ticket of a plan."""
