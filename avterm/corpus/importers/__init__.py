"""Readers of the formats on people's disks: each gives records, which `importing` turns into a corpus."""
