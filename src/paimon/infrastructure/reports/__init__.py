"""Files of a report: JSON, CSV, Excel and PDF. A renderer shows values and computes none; equal reports give equal bytes."""
