"""Section 5, Table 1: search and annotation recall; search by speech or image."""
