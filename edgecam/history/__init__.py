"""Evidence: events and their pictures, kept in files under a quota."""
