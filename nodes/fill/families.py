"""What a fill daemon counts beside its server, in words. It counts nothing."""

COUNTERS: dict[str, str] = {}
OTHERS = {
    "longhaul_fill_bytes_total": "Content that edges fetched by plan, by kind of copy.",
    "longhaul_fill_copies_total": "Files that edges fetched by plan, by kind of copy.",
    "longhaul_fill_failed_total": "What failed: copies of single files, or plans of whole nights.",
}
