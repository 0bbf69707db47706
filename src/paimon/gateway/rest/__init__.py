"""The REST API: parse, authorise, one call, present. Nothing is decided here."""
