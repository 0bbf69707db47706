"""The REST API: parse the request, authorise the caller, call one use case, present its result. No rule is decided here."""
