"""Nothing is lost: killed processes, full disks, hostile files, bounded memory."""
