"""The approval policy: versions that count, drafts of the next one, and the dry run."""
