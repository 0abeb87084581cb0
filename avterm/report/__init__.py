"""Section 5: tables and figures as text, pictures and one HTML page."""
