"""What an edge counts beside its server (`nodes/http/families.py`), in words. It counts nothing."""

COUNTERS = {
    "longhaul_background_requests_total": "Validations made while the client had a stale answer already (RFC 5861).",
    "longhaul_cache_bad_objects_total": "Objects on the disk that were damaged, gone or none, and were dropped.",
    "longhaul_cache_disk_errors_total": "System calls on the cache that failed; what they were for passed through.",
    "longhaul_cache_evicted_bytes_total": "Bytes of the files that were evicted.",
    "longhaul_cache_evictions_total": "Objects that went to make room.",
    "longhaul_cache_not_admitted_total": "Objects that the admission rule did not let in.",
    "longhaul_cache_purged_total": "Objects that were purged or invalidated.",
    "longhaul_cache_purges_coarser_total": "Purges that emptied the cache because too many were pending.",
    "longhaul_cache_stored_total": "Objects that were stored.",
    "longhaul_cache_too_large_total": "Objects that passed through because no room could be made for them.",
    "longhaul_cache_written_bytes_total": "Bytes of objects and metadata written to the disk.",
    "longhaul_collapsed_requests_total": "Requests that joined a fetch which was running.",
    "longhaul_origin_cut_total": "Answers broken off because their origin broke off.",
    "longhaul_origin_digest_errors_total": "Answers of origins that were not what their Repr-Digest says.",
    "longhaul_origin_errors_total": "Requests to origins that failed, answered with 502, 504 or what is stored.",
    "longhaul_origin_received_bytes_total": "Content received from origins.",
    "longhaul_origin_requests_total": "Requests to origins.",
    "longhaul_origin_retries_total": "Requests made again because a connection that had been idle was closed.",
}
OTHERS = {
    "longhaul_cache_capacity_bytes": "Bytes of files kept at most.",
    "longhaul_cache_objects": "Objects that are stored.",
    "longhaul_cache_purges_pending": "Purges that not every object was compared with yet.",
    "longhaul_cache_ready": "1 when the index knows all that is on the disk.",
    "longhaul_cache_reserved_bytes": "Room set aside for what is being written.",
    "longhaul_cache_used_bytes": "Bytes of the files that are stored.",
    "longhaul_fill_received_bytes_total": "Content received by POST /-/fill, by where from.",
}
