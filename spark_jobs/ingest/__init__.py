"""Files to bronze: text columns with their origin, personal data already tokens."""
