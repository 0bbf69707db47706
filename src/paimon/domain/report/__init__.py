"""Reports: what happened to the fund in a period, made from dated inputs by one pure function."""
